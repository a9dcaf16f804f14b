import type { Client } from '../../client/index.ts';
import { isAbortError, isCode } from '../../errors/index.ts';
import { type StatsSample, sampleOf } from './stats-sample.ts';

/** A container, and what was last heard of it. */
export interface Watched {
  readonly id: string;
  readonly name: string;
  sample?: StatsSample;
}

/** Reads samples until the container is gone, its stream ends, or the user interrupts. */
export async function follow(
  client: Client,
  watched: Watched,
  options: { readonly stream: boolean; readonly signal?: AbortSignal },
): Promise<void> {
  try {
    for await (const raw of client.containers.stats(watched.id, options)) watched.sample = sampleOf(raw);
  } catch (error) {
    if (!isCode(error, 'notFound') && !isAbortError(error)) throw error;
  }
}

interface Entry extends Watched {
  isShown: boolean;
}

/** The containers there are, as they come and go. */
export class StatsWatch {
  readonly #client: Client;
  readonly #signal: AbortSignal;
  readonly #entries = new Map<string, Entry>();
  readonly #failure = Promise.withResolvers<never>();

  constructor(client: Client, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  get list(): readonly Watched[] {
    return [...this.#entries.values()].filter(({ isShown }) => isShown);
  }

  /** Until the signal, or the end of the daemon's events. `all` takes those that do not run as well. */
  async run({ all }: { readonly all: boolean }): Promise<void> {
    const { containers, system } = this.#client;
    // The events begin before the list does, by the daemon's clock: what is told twice does no harm.
    const { SystemTime: time } = await system.info(this.#signal);
    for (const { Id, Names } of await containers.list({ all, signal: this.#signal })) {
      this.#begun(Id, (Names[0] ?? '').replace(/^\//, ''));
    }
    await Promise.race([this.#failure.promise, this.#followEvents(String(time), all)]);
  }

  async #followEvents(since: string, all: boolean): Promise<void> {
    const events = this.#client.system.events({
      since: (Date.parse(since) / 1000).toFixed(3),
      filters: { type: ['container'], event: ['start', all ? 'create' : 'die'] },
      signal: this.#signal,
    });
    for await (const { Action, Actor } of events) {
      if (Action === 'die') this.#ended(Actor.ID);
      else this.#begun(Actor.ID, Actor.Attributes['name'] ?? '');
    }
  }

  /** The stream of one that has ended goes on, so it is followed from the first time on. */
  #begun(id: string, name: string): void {
    const known = this.#entries.get(id);
    if (known !== undefined) {
      known.isShown = true;
      return;
    }
    const entry: Entry = { id, name, isShown: true };
    this.#entries.set(id, entry);
    follow(this.#client, entry, { stream: true, signal: this.#signal }).catch(this.#failure.reject);
  }

  #ended(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.isShown = false;
  }
}
