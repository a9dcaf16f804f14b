import type { PrunePlan } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { Metadata } from '../../metadata/index.ts';

/** Plans kept; an older one goes when a new one is made. */
const mostPlans = 20;

/** The table `prune_plans`. */
export function openPlanRows(metadata: Metadata) {
  const { db } = metadata;
  const select = db.prepare('SELECT plan FROM prune_plans WHERE id = ?');
  const insert = db.prepare('INSERT INTO prune_plans (id, created_at_ms, plan) VALUES (?, ?, ?)');
  const removeOld = db.prepare(
    'DELETE FROM prune_plans WHERE id NOT IN (SELECT id FROM prune_plans ORDER BY created_at_ms DESC LIMIT ?)',
  );
  const remove = db.prepare('DELETE FROM prune_plans WHERE id = ?');
  return {
    /** `notFound` "No such prune plan: x". */
    get: (id: string): PrunePlan => {
      const row = select.get(id) as { readonly plan: string } | undefined;
      if (row === undefined) throw new EngineError('notFound', `No such prune plan: ${id}`);
      return JSON.parse(row.plan) as PrunePlan;
    },
    put: (plan: PrunePlan): void => {
      metadata.transact(() => {
        insert.run(plan.ID, Date.parse(plan.CreatedAt), JSON.stringify(plan));
        removeOld.run(mostPlans);
      });
    },
    delete: (id: string): void => {
      metadata.transact(() => remove.run(id));
    },
  };
}
