import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { isCode } from '../errors/index.ts';
import type { Lease, Leases, Metadata, Resource } from './metadata.ts';

/** Later than any clock: the end of a lease that has none while its engine runs. */
const never = Number.MAX_SAFE_INTEGER;

export function openLeases(db: DatabaseSync, transact: Metadata['transact']): Leases {
  const insertLease = db.prepare(
    `INSERT INTO leases (id, expires_at_ms, named) VALUES (?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET expires_at_ms = excluded.expires_at_ms`,
  );
  const deleteLease = db.prepare('DELETE FROM leases WHERE id = ?');
  const deleteExpired = db.prepare('DELETE FROM leases WHERE expires_at_ms <= ?');
  const insertResource = db.prepare(
    'INSERT OR IGNORE INTO lease_resources (lease_id, kind, resource_id) VALUES (?, ?, ?)',
  );
  const selectHeld = db.prepare(
    `SELECT DISTINCT lease_id, kind, resource_id AS id FROM lease_resources
     JOIN leases ON leases.id = lease_id WHERE expires_at_ms > ?`,
  );
  /** Ended while the disk was full, when even a row cannot be deleted; what they held must go to make room. */
  const ended = new Set<string>();

  const end = (id: string) => {
    try {
      transact(() => deleteLease.run(id));
      ended.delete(id);
    } catch (error) {
      if (!isCode(error, 'outOfSpace')) throw error;
      ended.add(id);
    }
  };

  return {
    acquire(kept): Lease {
      const id = kept?.name ?? randomUUID();
      for (const left of ended) end(left);
      ended.delete(id);
      transact(() => {
        deleteExpired.run(Date.now());
        if (kept === undefined) insertLease.run(id, never, 0);
        else insertLease.run(id, Date.now() + kept.ttlMs, 1);
      });
      return {
        id,
        add: (...resources) => {
          transact(() => {
            for (const resource of resources) insertResource.run(id, resource.kind, resource.id);
          });
        },
        [Symbol.dispose]: () => {
          if (db.isOpen) end(id);
        },
      };
    },
    endAll: () => {
      transact(() => db.exec('DELETE FROM leases WHERE named = 0'));
    },
    held: () =>
      selectHeld.all(Date.now()).flatMap((row) => {
        if (ended.has(row['lease_id'] as string)) return [];
        return { kind: row['kind'], id: row['id'] } as Resource;
      }),
  };
}
