import type { Filters } from '../api/index.ts';
import { isCode } from '../errors/index.ts';
import { passesLabels, passesUntil } from '../lib/object-filters.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Container } from './record.ts';
import type { Stopper } from './stop.ts';
import type { ContainerStore } from './store.ts';

export interface PruneDeps {
  readonly store: ContainerStore;
  readonly snapshots: Snapshotter;
  readonly stopper: Stopper;
}

/** Removes every container that does not run and passes the filters (`until`, `label`, `label!`). */
export async function pruneContainers(
  filters: Filters,
  { store, snapshots, stopper }: PruneDeps,
): Promise<{ ContainersDeleted: string[]; SpaceReclaimed: number }> {
  const deleted: string[] = [];
  let bytes = 0;
  for (const container of store.all().filter((one) => isPrunable(one, filters))) {
    const { id } = container.record;
    const usage = await snapshots.usage(id);
    try {
      await stopper.remove(container, { force: false, volumes: false });
    } catch (error) {
      // Started, or removed by someone else, since it was picked.
      if (isCode(error, 'conflict') || isCode(error, 'notFound')) continue;
      throw error;
    }
    deleted.push(id);
    bytes += usage.bytes;
  }
  return { ContainersDeleted: deleted, SpaceReclaimed: bytes };
}

function isPrunable({ record, state }: Container, filters: Filters): boolean {
  if (state.running || state.removing) return false;
  return passesLabels(record.config.Labels, filters) && passesUntil(Date.parse(record.created), filters);
}
