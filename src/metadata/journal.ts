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

/** Rows that are dropped at once: few, for a full disk must have room for it. */
const dropped = 100;

/** Keeps the newest `keep` rows, and up to a hundred more. */
export function openJournal(db: DatabaseSync, keep: number): JournalWriter {
  const insert = db.prepare(
    'INSERT INTO journal (time_nano, type, action, id, attributes) VALUES (?, ?, ?, ?, ?)',
  );
  // The plus signs have it read in the order of cursors: by time, each call would sort all that is left.
  const select = db.prepare(
    'SELECT * FROM journal WHERE cursor > ? AND +time_nano >= ? AND +time_nano <= ? ORDER BY cursor LIMIT ?',
  );
  select.setReadBigInts(true);
  const selectFirst = db.prepare('SELECT min(cursor) AS cursor FROM journal WHERE time_nano >= ?');
  /** The cursor before the first row of a time or later: in the index, which is small beside the table. */
  const cursorBefore = (timeNano: bigint) => {
    const { cursor } = selectFirst.get(timeNano) as { readonly cursor: number | null };
    return cursor === null ? Number.MAX_SAFE_INTEGER : cursor - 1;
  };
  // The last cursor is kept in sqlite_sequence, so that none is used again.
  const drop = db.prepare('DELETE FROM journal WHERE cursor <= ?');
  const selectOldest = db.prepare('SELECT min(cursor) AS first FROM journal');
  const listeners = new Set<(row: JournalRow) => void>();
  const newest = db.prepare('SELECT time_nano FROM journal ORDER BY cursor DESC LIMIT 1');
  newest.setReadBigInts(true);
  let lastNano = (newest.get()?.['time_nano'] ?? 0n) as bigint;

  return {
    append(entry) {
      const timeNano = nanoAfter(lastNano);
      lastNano = timeNano;
      const { lastInsertRowid } = insert.run(
        timeNano,
        entry.type,
        entry.action,
        entry.id,
        JSON.stringify(entry.attributes),
      );
      const cursor = Number(lastInsertRowid);
      if (cursor % dropped === 0) drop.run(cursor - keep);
      return { ...entry, cursor, timeNano };
    },
    publish(rows) {
      for (const row of rows) for (const listener of listeners) listener(row);
    },
    *read(query: JournalQuery) {
      const { afterCursor = 0, sinceNano, untilNano = 0x7fff_ffff_ffff_ffffn, limit = -1 } = query;
      const start = sinceNano === undefined ? afterCursor : Math.max(afterCursor, cursorBefore(sinceNano));
      for (const row of select.iterate(start, sinceNano ?? 0n, untilNano, limit)) {
        yield toJournalRow(row as unknown as StoredRow);
      }
    },
    last() {
      const row = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").get();
      return Number(row?.['seq'] ?? 0);
    },
    reachesBackTo(cursor) {
      const { first } = selectOldest.get() as { readonly first: number | null };
      return first === null || cursor >= first - 1;
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

/**
 * The time now, to the millisecond: Node's finer clock neither counts a suspend nor follows when the time is set. Within
 * one it counts in microseconds, which JSON's numbers can hold, so that each row has a time of its own. A clock that is
 * set back is followed, but for less than a second.
 */
function nanoAfter(last: bigint): bigint {
  const now = BigInt(Date.now()) * 1_000_000n;
  return now > last || now < last - 1_000_000_000n ? now : last + 1_000n;
}
