import { raceAbort } from '../lib/keyed-lock.ts';
import type { WaitCondition, WaitResult } from './containers.ts';

interface Pending {
  readonly exit: PromiseWithResolvers<WaitResult>;
  readonly stopped: PromiseWithResolvers<WaitResult>;
  readonly removed: PromiseWithResolvers<WaitResult>;
}

const promiseOf = { 'next-exit': 'exit', 'not-running': 'stopped', removed: 'removed' } as const;

/** Who waits for containers to end, by container id. */
export class Waiters {
  readonly #pending = new Map<string, Pending>();

  /** Begins to wait at once; the promise settles with the next such end, or with the signal's reason. */
  wait(id: string, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult> {
    const pending = this.#of(id);
    return raceAbort(pending[promiseOf[condition]].promise, signal);
  }

  /** A run ended; `restarting` when the policy will start it again. */
  exited(id: string, exitCode: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    const result = { StatusCode: exitCode, Error: null };
    // A restart cycle wakes those who wait for "not running" too, as in Docker.
    pending.exit.resolve(result);
    pending.stopped.resolve(result);
    this.#pending.set(id, { exit: deferred(), stopped: deferred(), removed: pending.removed });
  }

  /** The container is gone, or (with `error`) could not be removed. */
  removed(id: string, exitCode: number, error?: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    const result = { StatusCode: exitCode, Error: error === undefined ? null : { Message: error } };
    pending.exit.resolve(result);
    pending.stopped.resolve(result);
    pending.removed.resolve(result);
  }

  #of(id: string): Pending {
    let pending = this.#pending.get(id);
    if (pending === undefined) {
      pending = { exit: deferred(), stopped: deferred(), removed: deferred() };
      this.#pending.set(id, pending);
    }
    return pending;
  }
}

function deferred(): PromiseWithResolvers<WaitResult> {
  return Promise.withResolvers<WaitResult>();
}
