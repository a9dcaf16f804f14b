import type { DatabaseSync } from 'node:sqlite';
import type { EventType } from '../api/index.ts';
import type { Journal, JournalEntry, JournalQuery, JournalRow } from './metadata.ts';

/** The journal's inner side: `append` inside a transaction, `publish` after its commit. */
export interface JournalWriter extends Journal {
  append(entry: JournalEntry): JournalRow;
  publish(rows: readonly JournalRow[]): void;
}

interface StoredRow {
  readonly cursor: bigint;
  readonly time_nano: bigint;
  readonly type: EventType;
  readonly action: string;
  readonly id: string;
  readonly attributes: string;
}

export function openJournal(db: DatabaseSync): JournalWriter {
  const insert = db.prepare(
    'INSERT INTO journal (time_nano, type, action, id, attributes) VALUES (?, ?, ?, ?, ?)',
  );
  const select = db.prepare(
    'SELECT * FROM journal WHERE cursor > ? AND time_nano >= ? AND time_nano <= ? ORDER BY cursor',
  );
  select.setReadBigInts(true);
  const listeners = new Set<(row: JournalRow) => void>();

  return {
    append(entry) {
      const timeNano = nowNano();
      const { lastInsertRowid } = insert.run(
        timeNano,
        entry.type,
        entry.action,
        entry.id,
        JSON.stringify(entry.attributes),
      );
      return { ...entry, cursor: Number(lastInsertRowid), timeNano };
    },
    publish(rows) {
      for (const row of rows) for (const listener of listeners) listener(row);
    },
    *read(query: JournalQuery) {
      const end = query.untilNano ?? 0x7fff_ffff_ffff_ffffn;
      for (const row of select.iterate(query.afterCursor ?? 0, query.sinceNano ?? 0n, end)) {
        yield toJournalRow(row as unknown as StoredRow);
      }
    },
    last() {
      const row = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").get();
      return Number(row?.['seq'] ?? 0);
    },
    prune(keep) {
      // The last cursor is kept in sqlite_sequence, so that none is used again even when all rows go.
      db.prepare('DELETE FROM journal WHERE cursor <= (SELECT max(cursor) FROM journal) - ?').run(keep);
    },
    subscribe(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}

function toJournalRow(row: StoredRow): JournalRow {
  return {
    cursor: Number(row.cursor),
    timeNano: row.time_nano,
    type: row.type,
    action: row.action,
    id: row.id,
    attributes: JSON.parse(row.attributes) as Record<string, string>,
  };
}

/** Unix nanoseconds, to the millisecond: Node's finer clock neither counts a suspend nor follows when the time is set. */
function nowNano(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
