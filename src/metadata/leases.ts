import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Lease, Leases, Metadata, Resource } from './metadata.ts';

export function openLeases(db: DatabaseSync, transact: Metadata['transact']): Leases {
  const insertLease = db.prepare('INSERT INTO leases (id, expires_at_ms) VALUES (?, ?)');
  const deleteLease = db.prepare('DELETE FROM leases WHERE id = ?');
  const deleteExpired = db.prepare('DELETE FROM leases WHERE expires_at_ms <= ?');
  const insertResource = db.prepare(
    'INSERT OR IGNORE INTO lease_resources (lease_id, kind, resource_id) VALUES (?, ?, ?)',
  );
  const selectHeld = db.prepare(
    `SELECT DISTINCT kind, resource_id AS id FROM lease_resources
     JOIN leases ON leases.id = lease_id WHERE expires_at_ms > ?`,
  );

  return {
    acquire({ ttlMs }): Lease {
      const id = randomUUID();
      transact(() => {
        deleteExpired.run(Date.now());
        insertLease.run(id, Date.now() + ttlMs);
      });
      return {
        id,
        add: (...resources) => {
          transact(() => {
            for (const resource of resources) insertResource.run(id, resource.kind, resource.id);
          });
        },
        [Symbol.dispose]: () => {
          if (db.isOpen) transact(() => deleteLease.run(id));
        },
      };
    },
    held: () => selectHeld.all(Date.now()) as unknown as Resource[],
  };
}
