import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../errors/index.ts';
import type { Metadata } from '../../metadata/index.ts';
import type { ChainId } from '../../oci/index.ts';
import type { Layout } from './layout.ts';
import { dropTorn } from './recover.ts';
import type { SnapshotRow, SnapshotTable } from './table.ts';
import type { Trash } from './trash.ts';

export interface RowsDeps {
  readonly metadata: Metadata;
  readonly table: SnapshotTable;
  readonly layout: Layout;
  readonly trash: Trash;
}

/** The rows of snapshots, and which of their trees a power loss may have torn. */
export class SnapshotRows {
  readonly #deps: RowsDeps;
  /** Directory by name of committed snapshots that a power loss may have torn, but which something stands on. */
  readonly #torn: Map<string, string>;

  constructor(deps: RowsDeps) {
    this.#deps = deps;
    this.#torn = dropTorn(deps.metadata, deps.table);
  }

  /** The row of an active snapshot. `notFound` if there is none. */
  active(key: string): SnapshotRow {
    const row = this.#deps.table.get(key);
    if (row?.kind !== 'active') throw new EngineError('notFound', `No such snapshot: ${key}`);
    return row;
  }

  /** The row of a committed snapshot, torn or not. `notFound` if there is none. */
  committed(name: ChainId): SnapshotRow {
    const row = this.#deps.table.get(name);
    if (row?.kind !== 'committed') throw new EngineError('notFound', `No such snapshot: ${name}`);
    return row;
  }

  /** The same, `undefined` if there is none or its tree may be torn. */
  whole(name: ChainId): SnapshotRow | undefined {
    const row = this.#deps.table.get(name);
    return row?.kind === 'committed' && !this.#torn.has(name) ? row : undefined;
  }

  /** Directories of `name` and what is below it, top first. */
  chain(name: ChainId | undefined): string[] {
    if (name === undefined) return [];
    const directories = this.#deps.table.chain(name);
    if (directories.length === 0) throw new EngineError('notFound', `No such snapshot: ${name}`);
    return directories;
  }

  /** The same, all of them whole. */
  lowers(name: ChainId | undefined): string[] {
    const directories = this.chain(name);
    for (const [torn, directory] of this.#torn) {
      if (directories.includes(directory)) {
        throw new EngineError(
          'internal',
          `layer ${torn} was lost when the machine lost power: load or build its image again`,
        );
      }
    }
    return directories;
  }

  /** A new row. Whatever is going to use it writes a row of its own, which makes this one durable. */
  insert(row: SnapshotRow): void {
    const { metadata, table } = this.#deps;
    try {
      metadata.transact(
        () => {
          this.#put(row);
        },
        { durable: false },
      );
    } catch (error) {
      if (row.parent !== null && table.get(row.parent) === undefined) {
        throw new EngineError('notFound', `No such snapshot: ${row.parent}`, { cause: error });
      }
      throw error;
    }
    this.#forgetTorn(row.name);
  }

  /** The row of an active snapshot becomes that of a committed one. */
  commit(key: string, row: SnapshotRow): void {
    const { metadata, table } = this.#deps;
    metadata.transact(() => {
      table.delete(key);
      this.#put(row);
    });
    this.#forgetTorn(row.name);
  }

  /** An active tree whose row comes back after a power cut has no owner any more, and goes again. */
  delete(row: SnapshotRow, check?: () => void): void {
    const { metadata, table } = this.#deps;
    metadata.transact(
      () => {
        check?.();
        table.delete(row.name);
      },
      { durable: row.kind === 'committed' },
    );
  }

  /** Inserts a row, or gives a torn snapshot its new tree. */
  #put(row: SnapshotRow): void {
    if (this.#torn.has(row.name)) this.#deps.table.replace(row);
    else this.#deps.table.insert(row);
  }

  #forgetTorn(name: string): void {
    const { layout, trash } = this.#deps;
    const directory = this.#torn.get(name);
    if (directory === undefined) return;
    this.#torn.delete(name);
    unlinkSync(join(layout.links, directory));
    trash.discard(layout.directory(directory));
  }
}
