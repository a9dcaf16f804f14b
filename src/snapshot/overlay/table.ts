import type { DatabaseSync } from 'node:sqlite';
import type { ChainId } from '../../oci/index.ts';

export interface SnapshotRow {
  readonly name: string;
  readonly kind: 'active' | 'committed';
  readonly directory: string;
  readonly parent: ChainId | null;
  readonly init_layer: 0 | 1;
  readonly bytes: number;
  readonly inodes: number;
  /** Boot id while a committed tree may not be on the disk yet, else null. */
  readonly unsynced_boot: string | null;
}

/** Prepared statements over the table `snapshots`. */
export function openTable(db: DatabaseSync) {
  const one = db.prepare('SELECT * FROM snapshots WHERE name = ?');
  const all = db.prepare('SELECT * FROM snapshots ORDER BY name');
  const chain = db.prepare(`
    WITH RECURSIVE chain (directory, parent, depth) AS (
      SELECT directory, parent, 0 FROM snapshots WHERE name = ? AND kind = 'committed'
      UNION ALL
      SELECT s.directory, s.parent, depth + 1 FROM snapshots s JOIN chain ON s.name = chain.parent
    )
    SELECT directory FROM chain ORDER BY depth`);
  const children = db.prepare('SELECT count(*) AS count FROM snapshots WHERE parent = ?');
  const insert = db.prepare(`
    INSERT INTO snapshots (name, kind, directory, parent, init_layer, bytes, inodes, unsynced_boot)
    VALUES (:name, :kind, :directory, :parent, :init_layer, :bytes, :inodes, :unsynced_boot)`);
  const unsynced = db.prepare('SELECT * FROM snapshots WHERE unsynced_boot IS NOT NULL');
  const synced = db.prepare('UPDATE snapshots SET unsynced_boot = NULL WHERE name = ?');
  const replace = db.prepare(`
    UPDATE snapshots SET directory = :directory, bytes = :bytes, inodes = :inodes, unsynced_boot = :unsynced_boot
    WHERE name = :name`);
  const remove = db.prepare('DELETE FROM snapshots WHERE name = ?');
  return {
    get: (name: string) => one.get(name) as SnapshotRow | undefined,
    all: () => all.all() as unknown as SnapshotRow[],
    /** Directories of a committed snapshot and its parents, top first; empty if it is not there. */
    chain: (name: ChainId) => chain.all(name).map((row) => row['directory'] as string),
    childCount: (name: string) => (children.get(name) as { count: number }).count,
    /** Only inside a transaction. */
    insert: (row: SnapshotRow) => {
      insert.run({ ...row });
    },
    /** Another tree for a committed snapshot. Only inside a transaction. */
    replace: ({ name, directory, bytes, inodes, unsynced_boot }: SnapshotRow) => {
      replace.run({ name, directory, bytes, inodes, unsynced_boot });
    },
    unsynced: () => unsynced.all() as unknown as SnapshotRow[],
    /** Only inside a transaction. */
    markSynced: (name: string) => {
      synced.run(name);
    },
    /** Only inside a transaction. */
    delete: (name: string) => {
      remove.run(name);
    },
  };
}

export type SnapshotTable = ReturnType<typeof openTable>;
