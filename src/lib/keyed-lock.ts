/**
 * One mutual exclusion lock per key, first come, first served.
 *
 * `using _held = await locks.acquire(key, signal)`; leaving the scope releases it. Waiting ends with the
 * signal's reason when it aborts. Never hold one across the network.
 */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  async acquire(key: string, signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    const before = this.#tails.get(key) ?? Promise.resolve();
    const turn = Promise.withResolvers<void>();
    const tail = before.then(() => turn.promise);
    this.#tails.set(key, tail);
    // Not when this turn is over: those before one that left may still hold it.
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    try {
      await raceAbort(before, signal);
    } catch (error) {
      turn.resolve();
      throw error;
    }
    return {
      [Symbol.dispose]: () => {
        turn.resolve();
      },
    };
  }

  /** Resolves once those are through who hold the lock or wait for it now. */
  async passed(key: string, signal?: AbortSignal): Promise<void> {
    (await this.acquire(key, signal))[Symbol.dispose]();
  }
}

/** Settles as `promise` does, or rejects with the signal's reason as soon as it aborts. */
export async function raceAbort<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => {
    aborted.reject(signal.reason as Error);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    // Also when it has lost already: a promise nobody listens to takes the process down when it rejects.
    return await Promise.race([aborted.promise, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
