import type { StatementSync } from 'node:sqlite';
import { type JournalEntry, type Metadata, pruneEvent } from '../metadata/index.ts';
import type { MountedAt } from './volumes.ts';

/** One volume as it is stored. */
export interface VolumeRow {
  readonly name: string;
  readonly createdAtMs: number;
  readonly anonymous: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** The tables volumes and volume_users, and the journal rows of volumes. */
export class VolumeRows {
  readonly #metadata: Metadata;
  readonly #select: StatementSync;
  readonly #selectAll: StatementSync;
  readonly #selectUsers: StatementSync;

  constructor(metadata: Metadata) {
    const { db } = metadata;
    this.#metadata = metadata;
    this.#select = db.prepare('SELECT * FROM volumes WHERE name = ?');
    this.#selectAll = db.prepare('SELECT * FROM volumes ORDER BY name');
    this.#selectUsers = db.prepare('SELECT container_id FROM volume_users WHERE volume = ?');
  }

  get(name: string): VolumeRow | undefined {
    const row = this.#select.get(name);
    return row === undefined ? undefined : toRow(row);
  }

  all(): VolumeRow[] {
    return this.#selectAll.all().map(toRow);
  }

  users(name: string): string[] {
    return this.#selectUsers.all(name).map((row) => String(row['container_id']));
  }

  insert(row: VolumeRow, user?: string): void {
    this.#metadata.transact((transaction) => {
      transaction.db
        .prepare(
          'INSERT INTO volumes (name, created_at_ms, anonymous, labels, options) VALUES (?, ?, ?, ?, ?)',
        )
        .run(
          row.name,
          row.createdAtMs,
          row.anonymous ? 1 : 0,
          JSON.stringify(row.labels),
          JSON.stringify(row.options),
        );
      if (user !== undefined) this.addUser(row.name, user);
      transaction.record(event('create', row.name));
    });
  }

  delete(name: string): void {
    this.#metadata.transact((transaction) => {
      transaction.db.prepare('DELETE FROM volume_users WHERE volume = ?').run(name);
      transaction.db.prepare('DELETE FROM volumes WHERE name = ?').run(name);
      transaction.record(event('destroy', name));
    });
  }

  /** Without a transaction of its own: it joins the caller's. */
  addUser(name: string, containerId: string): void {
    this.#metadata.db
      .prepare('INSERT OR IGNORE INTO volume_users (volume, container_id) VALUES (?, ?)')
      .run(name, containerId);
  }

  /** Every container that refers to a volume. */
  allUsers(): string[] {
    const rows = this.#metadata.db.prepare('SELECT DISTINCT container_id FROM volume_users').all();
    return rows.map((row) => String(row['container_id']));
  }

  /** The anonymous volumes it uses, and nobody else does. */
  anonymousOf(containerId: string): string[] {
    return this.#metadata.db
      .prepare(
        `SELECT volume FROM volume_users JOIN volumes ON volumes.name = volume
         WHERE container_id = ? AND anonymous = 1
         AND NOT EXISTS (
           SELECT 1 FROM volume_users AS other
           WHERE other.volume = volume_users.volume AND other.container_id <> volume_users.container_id
         )`,
      )
      .all(containerId)
      .map((row) => String(row['volume']));
  }

  /** Joins the caller's transaction. */
  removeUser(containerId: string): void {
    this.#metadata.db.prepare('DELETE FROM volume_users WHERE container_id = ?').run(containerId);
  }

  /** Writes only what differs. */
  setUses(containerId: string, names: readonly string[]): void {
    const { db } = this.#metadata;
    const stored = db.prepare('SELECT volume FROM volume_users WHERE container_id = ?').all(containerId);
    const present = new Set(stored.map((row) => String(row['volume'])));
    const wanted = new Set(names);
    if (present.symmetricDifference(wanted).size === 0) return;
    this.#metadata.transact(() => {
      this.removeUser(containerId);
      for (const name of wanted) this.addUser(name, containerId);
    });
  }

  /** A prune has come to its end. */
  recordPrune(reclaimedBytes: number): void {
    this.#note(pruneEvent('volume', reclaimedBytes));
  }

  recordMount(name: string, container: string, { destination, writable, propagation }: MountedAt): void {
    const attributes = { container, destination, 'read/write': String(writable), propagation };
    this.#note(event('mount', name, attributes));
  }

  recordUnmount(name: string, container: string): void {
    this.#note(event('unmount', name, { container }));
  }

  #note(entry: JournalEntry): void {
    this.#metadata.transact(
      (transaction) => {
        transaction.record(entry);
      },
      { durable: false },
    );
  }
}

function event(action: string, id: string, more: Readonly<Record<string, string>> = {}) {
  return { type: 'volume', action, id, attributes: { driver: 'local', ...more } } as const;
}

function toRow(row: Record<string, unknown>): VolumeRow {
  return {
    name: String(row['name']),
    createdAtMs: Number(row['created_at_ms']),
    anonymous: row['anonymous'] === 1,
    labels: JSON.parse(String(row['labels'])) as Record<string, string>,
    options: JSON.parse(String(row['options'])) as Record<string, string>,
  };
}
