import type { DatabaseSync } from 'node:sqlite';
import type { EventType } from '../api/index.ts';
import type { Digest } from '../oci/index.ts';

/** What happened to what: one row of the journal, one line of `/events`. */
export interface JournalEntry {
  readonly type: EventType;
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface JournalRow extends JournalEntry {
  /** Grows by at least one per row, never reused, also over restarts. */
  readonly cursor: number;
  /** Whole microseconds, later than the row before, unless the clock was set back. */
  readonly timeNano: bigint;
}

/** The right to change the database; it exists only inside `transact`. */
export interface Transaction {
  readonly db: DatabaseSync;
  /** Appends to the journal in this transaction; listeners hear of it after the commit. */
  record(entry: JournalEntry): void;
}

export interface TransactOptions {
  /**
   * False: not synced by itself. It outlives a killed process, and a power cut once any later durable transaction is
   * done. For what nobody has been told of yet, or what recovery would do again. Default true.
   */
  readonly durable?: boolean;
}

/**
 * The one database of an engine (`ROOT/gantry.db`, SQLite, WAL, synchronous=FULL).
 *
 * Stores keep their own prepared statements on `db` for reading and change rows only inside `transact`.
 */
export interface Metadata extends AsyncDisposable {
  readonly db: DatabaseSync;
  /** Runs `change` in one transaction; a throw rolls it back. Synchronous: no await can hold it open. */
  transact<T>(change: (transaction: Transaction) => T, options?: TransactOptions): T;
  readonly journal: Journal;
  readonly leases: Leases;
}

export interface JournalQuery {
  /** Rows after this cursor. */
  readonly afterCursor?: number;
  readonly sinceNano?: bigint;
  readonly untilNano?: bigint;
  /** No more rows than this. */
  readonly limit?: number;
}

/** What happened, as far back as the newest 100,000 rows or so go. */
export interface Journal {
  /** Stored rows, oldest first. */
  read(query: JournalQuery): Iterable<JournalRow>;
  /** Calls `listener` for each row after its commit, until disposed. */
  subscribe(listener: (row: JournalRow) => void): Disposable;
  /** Cursor of the newest row that was ever written, 0 before the first. */
  last(): number;
  /** Whether every row after this cursor is still there. */
  reachesBackTo(cursor: number): boolean;
}

/** What a lease, a row or a container can keep alive. */
export type Resource =
  | { readonly kind: 'blob'; readonly id: Digest }
  | { readonly kind: 'snapshot'; readonly id: string };

/** Keeps new resources from the garbage collector until something refers to them. Disposing it ends it. */
export interface Lease extends Disposable {
  readonly id: string;
  /** Durable when it returns; several at once cost one transaction. */
  add(...resources: readonly Resource[]): void;
}

export interface Leases {
  /**
   * A lease ends when it is disposed, or with `endAll`; however long its work takes, it lasts. One with a name outlives
   * the engine, until its time is over: it guards what the next try of interrupted work goes on with. Acquiring a name
   * again takes over what it holds.
   */
  acquire(kept?: { readonly name: string; readonly ttlMs: number }): Lease;
  /** Resources of leases that have not ended. */
  held(): readonly Resource[];
  /** Ends every lease without a name. For the start of an engine that is alone on its root: whoever held one is dead. */
  endAll(): void;
}

/** What a store contributes to mark and sweep. */
export interface Collector {
  /** Resources this store refers to and so keeps. */
  roots?(): Iterable<Resource>;
  /** Resources that a kept resource needs (manifest to layers, snapshot to parent). */
  references?(resource: Resource): Iterable<Resource>;
  /** Removes everything of this store's kind that is not in `kept`; returns the bytes freed. */
  sweep?(kept: (resource: Resource) => boolean): Promise<number>;
}
