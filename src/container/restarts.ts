import type { Logger } from 'pino';
import { settlesInTime } from '../lib/timeout.ts';
import type { Exit } from '../runtime/index.ts';
import type { Container } from './record.ts';
import { nextRestart, type RestartBackoff } from './restart.ts';

export interface RestartsDeps {
  /** Starts a container: one that waits in state restarting if `byPolicy`, else one that does not run. */
  readonly start: (id: string, options: { readonly byPolicy: boolean }) => Promise<void>;
  /** The ids of the containers that must run before that. */
  readonly needs: (id: string) => readonly string[];
  readonly logger: Logger;
}

/** A container that is about to be started by its policy. */
interface Planned {
  /** Resolved once it runs, or does not come. */
  readonly settled: PromiseWithResolvers<void>;
  timer?: NodeJS.Timeout;
}

/**
 * How long a start waits for the containers that it needs, for such as need each other come only then. Docker's five
 * seconds are over before a slow machine that boots has started the first.
 */
const patienceMs = 60_000;

/** The starts that restart policies make, by container id. */
export class Restarts {
  readonly #deps: RestartsDeps;
  readonly #backoffs = new Map<string, RestartBackoff>();
  readonly #planned = new Map<string, Planned>();
  /** Delays of restarts that wait for `begin`. */
  readonly #early = new Map<string, number>();
  #begun = false;
  #closed = false;

  constructor(deps: RestartsDeps) {
    this.#deps = deps;
  }

  /** Milliseconds until the policy starts the container again; `undefined` leaves it ended. */
  delayAfter(container: Container, exit: Exit): number | undefined {
    const { id, hostConfig } = container.record;
    const { state } = container;
    if (this.#closed || state.stoppedByUser || state.removing) return this.cancel(id);
    const ranMs = exit.finishedAt.getTime() - Date.parse(state.startedAt);
    const next = nextRestart({
      policy: hostConfig.RestartPolicy,
      exitCode: exit.exitCode,
      restartCount: state.restartCount,
      ranMs,
      previous: this.#backoffs.get(id),
    });
    if (next === undefined) return this.cancel(id);
    this.#backoffs.set(id, next);
    return next.delayMs;
  }

  schedule(id: string, delayMs: number): void {
    if (this.#closed) return;
    this.#plan(id);
    if (this.#begun) this.#arm(id, delayMs);
    else this.#early.set(id, delayMs);
  }

  /**
   * Makes the restarts that were scheduled while the engine found its containers again, and starts others that do not
   * run. Those that need one another wait for each other.
   */
  begin(ids: readonly string[]): void {
    this.#begun = true;
    for (const id of ids) this.#plan(id);
    for (const [id, delayMs] of this.#early) this.#arm(id, delayMs);
    this.#early.clear();
    for (const id of ids) void this.#start(id, { byPolicy: false });
  }

  /** Whether its policy is about to start it. */
  isPlanned(id: string): boolean {
    return this.#planned.has(id);
  }

  #plan(id: string): void {
    this.#settle(id);
    this.#planned.set(id, { settled: Promise.withResolvers() });
  }

  #arm(id: string, delayMs: number): void {
    const planned = this.#planned.get(id);
    if (planned === undefined) return;
    planned.timer = setTimeout(() => void this.#start(id, { byPolicy: true }), delayMs);
  }

  async #start(id: string, options: { readonly byPolicy: boolean }): Promise<void> {
    const planned = this.#planned.get(id);
    try {
      await this.#others(id);
      if (!this.#closed) await this.#deps.start(id, options);
    } catch (error) {
      this.#deps.logger.warn({ container: id, err: error }, 'cannot start the container as its policy says');
    } finally {
      planned?.settled.resolve();
      // It may have ended already, and its next start may be planned.
      if (this.#planned.get(id) === planned) this.#planned.delete(id);
    }
  }

  async #others(id: string): Promise<void> {
    const coming = this.#deps.needs(id).flatMap((needed) => this.#planned.get(needed)?.settled.promise ?? []);
    if (coming.length === 0) return;
    // When they do not come, the start says what is missing.
    await settlesInTime(Promise.all(coming), patienceMs);
  }

  #settle(id: string): void {
    const planned = this.#planned.get(id);
    clearTimeout(planned?.timer);
    planned?.settled.resolve();
    this.#planned.delete(id);
  }

  /** Forgets a planned restart. */
  cancel(id: string): undefined {
    this.#settle(id);
    this.#early.delete(id);
    this.#backoffs.delete(id);
  }

  /** From now on nothing is started again. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#planned.keys()]) this.cancel(id);
  }
}
