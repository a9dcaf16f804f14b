import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { EngineError } from '../errors/index.ts';
import { openJournal } from './journal.ts';
import { openLeases } from './leases.ts';
import type { JournalEntry, JournalRow, Metadata, Transaction, TransactOptions } from './metadata.ts';
import { isFull, Reserve } from './reserve.ts';
import { migrations } from './schema.ts';

/** Rows of the journal that are kept. */
const defaultJournalRows = 100_000;

/** Opens (and makes or migrates) the database at `path`. Rejects with `internal` if a newer Gantry wrote it. */
export function openMetadata(
  path: string,
  { journalRows = defaultJournalRows }: { readonly journalRows?: number } = {},
): Metadata {
  const reserve = path === ':memory:' ? undefined : new Reserve(path);
  reserve?.release();
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: true });
  // Its log is made with the same mode.
  if (path !== ':memory:') chmodSync(path, 0o600);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000');
  migrate(db, path);
  reserve?.take(db);
  const journal = openJournal(db, journalRows);
  let depth = 0;

  const transact = <T>(change: (transaction: Transaction) => T, options: TransactOptions = {}): T => {
    if (depth > 0) throw new EngineError('internal', 'a transaction is already open');
    const rows: JournalRow[] = [];
    const unsynced = options.durable === false;
    depth += 1;
    let result: T;
    try {
      if (unsynced) db.exec('PRAGMA synchronous = NORMAL');
      db.exec('BEGIN IMMEDIATE');
      result = change({
        db,
        record: (entry: JournalEntry) => {
          rows.push(journal.append(entry));
        },
      });
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw isFull(error)
        ? new EngineError('outOfSpace', 'No space left on device: the database cannot grow', { cause: error })
        : error;
    } finally {
      depth -= 1;
      if (unsynced) db.exec('PRAGMA synchronous = FULL');
    }
    journal.publish(rows);
    return result;
  };

  return {
    db,
    transact,
    journal,
    leases: openLeases(db, transact),
    [Symbol.asyncDispose]: async () => {
      if (db.isOpen) db.close();
    },
  };
}

function migrate(db: DatabaseSync, path: string): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > migrations.length) {
    throw new EngineError(
      'internal',
      `${path} was written by a newer Gantry (schema ${version}): upgrade this one`,
    );
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    db.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}
