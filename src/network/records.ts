import { EngineError, messageOf } from '../errors/index.ts';
import { randomId } from '../lib/ids.ts';
import { type Metadata, pruneEvent } from '../metadata/index.ts';

const unsynced = { durable: false };

/** A network as it is stored. `host` and `null` ones have no bridge. */
export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly driver: 'bridge' | 'host' | 'null';
  readonly bridge?: BridgeRecord;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly attachable: boolean;
  /** The address driver's options, as the client gave them. */
  readonly ipamOptions?: Readonly<Record<string, string>>;
}

export interface BridgeRecord {
  readonly device: string;
  /** `172.17.0.0/16`. */
  readonly subnet: string;
  readonly gateway: string;
  /** The user named the subnet, but no gateway: inspect shows no more, as in Docker. */
  readonly gatewayChosen?: true;
  readonly mtu: number;
  /** The part of the subnet that addresses are taken from. */
  readonly range?: string;
  /** Addresses never given to a container, by the user's names. */
  readonly auxiliary?: Readonly<Record<string, string>>;
}

export const builtinNames: readonly string[] = ['bridge', 'host', 'none'];

/** The networks table, read once: this engine is its only writer. */
export class NetworkRecords {
  readonly #metadata: Metadata;
  readonly #records = new Map<string, NetworkRecord>();
  readonly #down = new Map<string, unknown>();

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
    const rows = metadata.db.prepare('SELECT id, name, created_at_ms, record FROM networks').all();
    for (const row of rows) {
      const stored = JSON.parse(String(row['record'])) as Omit<NetworkRecord, 'id' | 'name' | 'createdAtMs'>;
      const id = String(row['id']);
      this.#records.set(id, {
        ...stored,
        id,
        name: String(row['name']),
        createdAtMs: Number(row['created_at_ms']),
      });
    }
  }

  all(): NetworkRecord[] {
    return [...this.#records.values()];
  }

  /** Without those that are down. */
  up(): NetworkRecord[] {
    return this.all().filter(({ id }) => !this.#down.has(id));
  }

  /** A network whose bridge could not be made, until it goes or another engine tries again. */
  setDown({ id }: NetworkRecord, why: unknown): void {
    this.#down.set(id, why);
  }

  /** Throws `unavailable` for one that is down. */
  assertUp({ id, name }: NetworkRecord): void {
    if (!this.#down.has(id)) return;
    const cause = this.#down.get(id);
    throw new EngineError('unavailable', `network ${name} is not up: ${messageOf(cause)}`, { cause });
  }

  get(id: string): NetworkRecord | undefined {
    return this.#records.get(id);
  }

  byName(name: string): NetworkRecord | undefined {
    return this.all().find((record) => record.name === name);
  }

  /** By full id, full name, then a prefix of the id. Throws `notFound` or `invalidArgument` with Docker's text. */
  find(nameOrId: string): NetworkRecord {
    const exact = this.#records.get(nameOrId) ?? this.byName(nameOrId);
    if (exact !== undefined) return exact;
    const matches = nameOrId === '' ? [] : this.all().filter((record) => record.id.startsWith(nameOrId));
    if (matches.length > 1) {
      throw new EngineError(
        'invalidArgument',
        `network ${nameOrId} is ambiguous (${matches.length} matches found based on ID prefix)`,
      );
    }
    const [match] = matches;
    if (match === undefined) throw new EngineError('notFound', `network ${nameOrId} not found`);
    return match;
  }

  /** Stores a new network, or a built-in one's new form; an event is recorded for a new one of the user's. */
  put(record: NetworkRecord): void {
    const { id, name, createdAtMs, ...rest } = record;
    const isNew = !this.#records.has(id);
    this.#metadata.transact((transaction) => {
      transaction.db
        .prepare(
          `INSERT INTO networks (id, name, created_at_ms, record) VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET record = excluded.record`,
        )
        .run(id, name, createdAtMs, JSON.stringify(rest));
      if (isNew && !builtinNames.includes(name)) transaction.record(eventOf(record, 'create'));
    });
    this.#records.set(id, record);
  }

  delete(record: NetworkRecord): void {
    this.#metadata.transact((transaction) => {
      transaction.db.prepare('DELETE FROM networks WHERE id = ?').run(record.id);
      transaction.record(eventOf(record, 'destroy'));
    });
    this.#records.delete(record.id);
    this.#down.delete(record.id);
  }

  /** One journal row for each network a container joined or left; the container's own rows make it durable. */
  recordUse(action: 'connect' | 'disconnect', containerId: string, networkIds: readonly string[]): void {
    const records = networkIds.flatMap((id) => this.#records.get(id) ?? []);
    if (records.length === 0) return;
    this.#metadata.transact((transaction) => {
      for (const record of records) {
        const entry = eventOf(record, action);
        transaction.record({ ...entry, attributes: { ...entry.attributes, container: containerId } });
      }
    }, unsynced);
  }

  /** A prune has come to its end; networks take no space. */
  recordPrune(): void {
    this.#metadata.transact((transaction) => {
      transaction.record(pruneEvent('network', 0));
    }, unsynced);
  }
}

/** A network that has no row yet. */
export function newRecord(
  name: string,
  driver: NetworkRecord['driver'],
  more: Partial<NetworkRecord> = {},
): NetworkRecord {
  return {
    id: randomId(),
    name,
    createdAtMs: Date.now(),
    driver,
    options: {},
    labels: {},
    internal: false,
    attachable: false,
    ...more,
  };
}

function eventOf(record: NetworkRecord, action: string) {
  return {
    type: 'network',
    action,
    id: record.id,
    attributes: { name: record.name, type: record.driver },
  } as const;
}
