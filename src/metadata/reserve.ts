import { closeSync, openSync, rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { hasErrno } from '../errors/index.ts';
import { allocate } from '../lib/native.ts';

/** The log is emptied into the database when it has 4 MiB; on a full disk that may not succeed at once. */
const logBytes = 6 << 20;
const freePages = 256;

/**
 * Room for the database on a disk that is full, where containers must still be stopped and removed: blocks for its
 * log, and free pages in it. While no engine runs there is no log, and a file keeps its place.
 */
export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Before the database is opened: gives its log the place that was kept, if there is no other. */
  release(): void {
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    if (bavail * bsize < 2 * logBytes) rmSync(this.#file, { force: true });
  }

  /** Once it is open. What the disk has no room for is left out. */
  take(db: DatabaseSync): void {
    allocateFile(`${this.#path}-wal`);
    if (!allocateFile(this.#file)) rmSync(this.#file, { force: true });
    const { freelist_count: free } = db.prepare('PRAGMA freelist_count').get() as { freelist_count: number };
    if (free < freePages) growFreePages(db);
  }

  get #file(): string {
    return `${this.#path}-reserve`;
  }
}

/** False when there is not enough room. */
function allocateFile(path: string): boolean {
  const fd = openSync(path, 'a', 0o600);
  try {
    allocate(fd, logBytes);
    return true;
  } catch (error) {
    // A file system that cannot do it keeps no reserve.
    if (hasErrno(error, 'ENOSPC') || hasErrno(error, 'EDQUOT') || hasErrno(error, 'EOPNOTSUPP')) return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Pages written once have their blocks on the disk; dropped, they are the first to be used. */
function growFreePages(db: DatabaseSync): void {
  const { page_size: pageBytes } = db.prepare('PRAGMA page_size').get() as { page_size: number };
  try {
    db.exec(`CREATE TABLE reserve (data BLOB);
      INSERT INTO reserve VALUES (zeroblob(${2 * freePages * pageBytes}));
      PRAGMA wal_checkpoint(PASSIVE)`);
  } catch (error) {
    if (!isFull(error)) throw error;
  }
  db.exec('DROP TABLE IF EXISTS reserve');
}

const sqliteFull = 13;

/** Whether SQLite found no room on the disk. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteFull;
}
