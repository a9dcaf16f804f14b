import type { Logger } from 'pino';
import { EngineError, isCode } from '../errors/index.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { settlesInTime } from '../lib/timeout.ts';
import type { OciRuntime } from '../runtime/index.ts';
import type { Freezer } from './freezer.ts';
import type { Container } from './record.ts';
import type { Restarts } from './restarts.ts';
import { endingBy } from './runs/ending.ts';
import type { Ending } from './runs/run.ts';
import type { ContainerStore } from './store.ts';
import type { Waiters } from './waiters.ts';

export interface EndOptions {
  readonly action: Ending['action'];
  readonly signalNumber: number;
  /** Negative waits for ever. */
  readonly timeoutMs: number;
  /** What to do when the signal can have no effect; default wait, as Docker does. */
  readonly deaf?: 'wait' | 'kill';
}

/** What is asked of a run. */
interface Telling {
  readonly action: Ending['action'];
  readonly signalNumber: number;
  /** The restart policy is to leave the container alone afterwards. */
  readonly stops: boolean;
  /** A paused container is to go on. */
  readonly thaws: boolean;
}

/** A run that something was asked of. */
export interface Told {
  readonly pid: number;
  readonly ending: Ending;
  /** Settles with the end of the run. */
  readonly ended: Promise<unknown>;
}

export interface RunEnderDeps {
  readonly store: ContainerStore;
  readonly runtime: OciRuntime;
  readonly waiters: Waiters;
  readonly freezer: Freezer;
  readonly restarts: Restarts;
  /** By container id. */
  readonly locks: KeyedLock;
  readonly logger: Logger;
}

const sigkill = 9;

/** Asks runs to end, and writes down who asked; what follows their end is the lifecycle's. */
export class RunEnder {
  readonly #deps: RunEnderDeps;
  readonly #closing = new AbortController();

  constructor(deps: RunEnderDeps) {
    this.#deps = deps;
  }

  /**
   * Ends a run and waits for it: the signal, patience, SIGKILL. A run that has ended by itself meanwhile is no error;
   * a start that the restart policy was about to make is cancelled. Returns whether there was a run to end. Rejects when
   * this object is closed first.
   */
  async end(id: string, options: EndOptions): Promise<boolean> {
    const told = await this.#tellToEnd(id, options);
    if (told === undefined) return false;
    const { ended, ending } = told;
    if (ending.deaf)
      this.#deps.logger.info(
        { container: id, signal: ending.signal },
        'the container has no handler for its stop signal',
      );
    const waitsMs = ending.deaf && options.deaf === 'kill' ? 0 : options.timeoutMs;
    if (await settlesInTime(ended, waitsMs, this.#closing.signal)) return true;
    await this.#force(id, told);
    if (await settlesInTime(ended, 10_000, this.#closing.signal)) return true;
    throw new EngineError('internal', `container ${id} did not end 10 s after SIGKILL`);
  }

  async #tellToEnd(id: string, { action, signalNumber }: EndOptions): Promise<Told | undefined> {
    using _held = await this.#deps.locks.acquire(id);
    const container = this.#deps.store.get(id);
    if (container === undefined || !container.state.running) return undefined;
    // What stops with the engine starts with it again.
    const stops = action !== 'shutdown';
    if (this.cancelRestart(container, { stops })) return undefined;
    return await this.tell(container, { action, signalNumber, stops, thaws: true });
  }

  async #force(id: string, { pid, ending }: Told): Promise<void> {
    const { store } = this.#deps;
    using _held = await this.#deps.locks.acquire(id);
    if (store.get(id)?.state.pid !== pid) return;
    store.transition(id, (state) => ({ ...state, ending: { ...ending, forced: true } }), {
      action: 'kill',
      attributes: { signal: String(sigkill) },
    });
    await this.#signal(id, sigkill);
  }

  /** Writes down what is asked of a run, and sends its signal. The caller holds the container's lock, so that it runs. */
  async tell(
    { record: { id }, state: { pid } }: Container,
    { action, signalNumber, stops, thaws }: Telling,
  ): Promise<Told> {
    const { store, waiters, freezer } = this.#deps;
    const ended = waiters.wait(id, 'not-running');
    const ending = await endingBy(action, signalNumber, pid);
    store.transition(id, (state) => ({ ...state, ending, stoppedByUser: stops || state.stoppedByUser }), {
      action: 'kill',
      attributes: { signal: String(signalNumber) },
    });
    await this.#signal(id, signalNumber);
    // SIGKILL thaws by itself; anything else is seen only once it moves.
    if (thaws && signalNumber !== sigkill) await freezer.letGo(id);
    return { pid, ending, ended };
  }

  async #signal(id: string, signalNumber: number): Promise<void> {
    try {
      await this.#deps.runtime.kill(id, signalNumber);
    } catch (error) {
      // It ended by itself just now: whoever waits hears of it.
      if (!isCode(error, 'conflict') && !isCode(error, 'notFound')) throw error;
    }
  }

  /**
   * Ends the wait of a container that its policy is about to start again; false when it is not such a one. The caller
   * holds its lock.
   */
  cancelRestart({ record: { id }, state }: Container, { stops }: Pick<Telling, 'stops'>): boolean {
    const { store, waiters, restarts } = this.#deps;
    if (!state.restarting) return false;
    restarts.cancel(id);
    store.transition(
      id,
      (before) => ({ ...before, running: false, restarting: false, stoppedByUser: stops }),
      { action: 'stop' },
    );
    waiters.exited(id, state.exitCode);
    return true;
  }

  /** Whoever waits for an end is rejected. */
  close(): void {
    this.#closing.abort();
  }
}
