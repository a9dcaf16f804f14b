import type { Health } from '../api/index.ts';
import { EngineError, isCode, messageOf } from '../errors/index.ts';
import { type Metadata, pruneEvent, type Transaction, type TransactOptions } from '../metadata/index.ts';
import type { Container, ContainerRecord, RunState } from './record.ts';
import type { Run } from './runs/run.ts';
import { RunRows } from './runs/run-rows.ts';

/** What happened to a container, for the journal. */
export interface Happening {
  readonly action: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

interface SaveOptions extends TransactOptions {
  readonly also?: (transaction: Transaction) => void;
}

const unsynced = { durable: false };

/** A container of `--rm` does not outlive the engine's next start: a power cut can take nothing that stays. */
function durabilityOf({ record }: Container): TransactOptions {
  return record.hostConfig.AutoRemove ? unsynced : {};
}

/**
 * Every container of the engine: the rows of `containers`, mirrored in memory, so that listing and looking up
 * wait for nobody. Values are immutable; `save` replaces one, row first.
 */
export class ContainerStore {
  readonly runs: RunRows;
  readonly #metadata: Metadata;
  readonly #byId = new Map<string, Container>();
  readonly #idByName = new Map<string, string>();

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
    this.runs = new RunRows(metadata);
    for (const row of metadata.db.prepare('SELECT record, state FROM containers').all()) {
      const { record, state } = row as { record: string; state: string };
      this.#remember({ record: JSON.parse(record) as ContainerRecord, state: JSON.parse(state) as RunState });
    }
  }

  all(): Container[] {
    return [...this.#byId.values()];
  }

  /** `undefined` once it is removed. */
  get(id: string): Container | undefined {
    return this.#byId.get(id);
  }

  idOfName(name: string): string | undefined {
    return this.#idByName.get(name.startsWith('/') ? name : `/${name}`);
  }

  /** By full id, exact name, or id prefix, in this order; Docker's errors. */
  resolve(text: string): Container {
    if (text === '') throw new EngineError('invalidArgument', 'Container cannot be empty');
    const exact = this.#byId.get(text) ?? this.#byId.get(this.idOfName(text) ?? '');
    if (exact !== undefined) return exact;
    const matches = [...this.#byId.keys()].filter((id) => id.startsWith(text));
    const match = this.#byId.get(matches[0] ?? '');
    if (match === undefined) throw new EngineError('notFound', `No such container: ${text}`);
    if (matches.length > 1) {
      throw new EngineError('invalidArgument', `multiple IDs found with provided prefix: ${text}`);
    }
    return match;
  }

  /**
   * As `resolve`, for a container that a request for a new one names: an unknown one is `invalidArgument`, for clients
   * take a 404 there for a missing image and pull. `action` begins the message, as in Docker's.
   */
  resolveNamed(text: string, action = ''): Container {
    try {
      return this.resolve(text);
    } catch (error) {
      if (!isCode(error, 'notFound')) throw error;
      throw new EngineError('invalidArgument', `${action}${messageOf(error)}`, { cause: error });
    }
  }

  /** The container as it is now; throws `notFound` if it went away meanwhile. */
  current(id: string): Container {
    const container = this.#byId.get(id);
    if (container === undefined) throw new EngineError('notFound', `No such container: ${id}`);
    return container;
  }

  /** `conflict` with Docker's text when the name is taken. */
  assertNameFree(name: string): void {
    const holder = this.#idByName.get(name);
    if (holder === undefined) return;
    throw new EngineError(
      'conflict',
      `Conflict. The container name "${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  insert(container: Container, also?: (transaction: Transaction) => void): void {
    const { record, state } = container;
    this.assertNameFree(record.name);
    this.#metadata.transact((transaction) => {
      transaction.db
        .prepare(
          'INSERT INTO containers (id, name, image_id, created_at_ms, record, state) VALUES (?, ?, ?, ?, ?, ?)',
        )
        .run(
          record.id,
          record.name,
          record.imageId,
          Date.parse(record.created),
          JSON.stringify(record),
          JSON.stringify(state),
        );
      also?.(transaction);
      this.#record(transaction, container, { action: 'create' });
    }, durabilityOf(container));
    this.#remember(container);
  }

  /** Stores a changed container and what happened to it in one transaction. */
  save(container: Container, ...happenings: readonly Happening[]): Container {
    return this.#save(container, happenings);
  }

  #save(
    container: Container,
    happenings: readonly Happening[],
    { also, durable = true }: SaveOptions = {},
  ): Container {
    const { record, state } = container;
    const before = this.current(record.id);
    if (before.record.name !== record.name) this.assertNameFree(record.name);
    this.#metadata.transact(
      (transaction) => {
        transaction.db
          .prepare('UPDATE containers SET name = ?, record = ?, state = ? WHERE id = ?')
          .run(record.name, JSON.stringify(record), JSON.stringify(state), record.id);
        also?.(transaction);
        for (const happening of happenings) this.#record(transaction, container, happening);
      },
      durable ? durabilityOf(container) : unsynced,
    );
    this.#idByName.delete(before.record.name);
    this.#remember(container);
    return container;
  }

  /** A change of state alone. */
  transition(
    id: string,
    next: (state: RunState) => RunState,
    ...happenings: readonly Happening[]
  ): Container {
    const { record, state } = this.current(id);
    return this.save({ record, state: next(state) }, ...happenings);
  }

  /** What a health check found: no next start of the engine needs it, so it waits for no disk. */
  noteHealth(id: string, health: Health, ...happenings: readonly Happening[]): void {
    const { record, state } = this.current(id);
    this.#save({ record, state: { ...state, health } }, happenings, { durable: false });
  }

  /** A change of state that ends a run, with the record of that run. */
  finish(
    id: string,
    next: (state: RunState) => { readonly state: RunState; readonly run: Run },
    ...happenings: readonly Happening[]
  ): Container {
    const { record, state: before } = this.current(id);
    const { state, run } = next(before);
    return this.#save({ record, state }, happenings, {
      also: (transaction) => {
        // A container of --rm is about to go, and its runs with it.
        if (!record.hostConfig.AutoRemove) this.runs.insert(transaction, id, run);
      },
    });
  }

  /** Only journals, changes nothing. */
  note(container: Container, ...happenings: readonly Happening[]): void {
    this.#metadata.transact((transaction) => {
      for (const happening of happenings) this.#record(transaction, container, happening);
    }, unsynced);
  }

  /** Journals that a prune has come to its end. */
  notePrune(reclaimedBytes: number): void {
    this.#metadata.transact((transaction) => {
      transaction.record(pruneEvent('container', reclaimedBytes));
    }, unsynced);
  }

  delete(id: string, also?: (transaction: Transaction) => void): void {
    const container = this.current(id);
    this.#metadata.transact((transaction) => {
      also?.(transaction);
      transaction.db.prepare('DELETE FROM containers WHERE id = ?').run(id);
      this.runs.deleteAll(transaction, id);
      this.#record(transaction, container, { action: 'destroy' });
    }, durabilityOf(container));
    this.#byId.delete(id);
    this.#idByName.delete(container.record.name);
  }

  #remember(container: Container): void {
    this.#byId.set(container.record.id, container);
    this.#idByName.set(container.record.name, container.record.id);
  }

  #record(transaction: Transaction, { record }: Container, { action, attributes }: Happening): void {
    transaction.record({
      type: 'container',
      action,
      id: record.id,
      attributes: {
        ...record.config.Labels,
        image: record.config.Image,
        name: record.name.slice(1),
        ...attributes,
      },
    });
  }
}
