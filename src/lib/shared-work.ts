import { EngineError } from '../errors/index.ts';
import { raceAbort } from './keyed-lock.ts';

interface Running<T, M> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  readonly listeners: Set<(message: M) => void>;
  waiters: number;
  last?: M;
}

export interface Joining<T, M> {
  readonly key: string;
  /** Runs only if nobody does this work already. Its signal aborts when the last waiter leaves. */
  readonly work: (tell: (message: M) => void, signal: AbortSignal) => Promise<T>;
  /** Hears what the work tells, from the latest message on. */
  readonly listener?: (message: M) => void;
  readonly signal?: AbortSignal;
}

/** The same work in flight runs once, however many want its result. */
export class SharedWork<T, M = never> {
  readonly #running = new Map<string, Running<T, M>>();

  /**
   * Waits for the work of this key, starting it if nobody has. Rejects with the signal's reason as soon as it aborts;
   * the work goes on while somebody waits. When work that another started fails for a reason of its own, it is tried
   * once more as this caller's.
   */
  async join(joining: Joining<T, M>): Promise<T> {
    joining.signal?.throwIfAborted();
    const present = this.#running.get(joining.key);
    if (present === undefined) return this.#wait(this.#start(joining), joining);
    try {
      return await this.#wait(present, joining);
    } catch (error) {
      joining.signal?.throwIfAborted();
      const now = this.#running.get(joining.key);
      if (now !== undefined && now !== present) return this.#wait(now, joining);
      if (now === present) throw error;
      return this.#wait(this.#start(joining), joining);
    }
  }

  /** Waits until nothing runs; for shutting down. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map(({ result }) => result));
  }

  #start({ key, work }: Joining<T, M>): Running<T, M> {
    const controller = new AbortController();
    const listeners = new Set<(message: M) => void>();
    const tell = (message: M) => {
      running.last = message;
      for (const listener of listeners) listener(message);
    };
    const result = Promise.resolve().then(() => work(tell, controller.signal));
    const running: Running<T, M> = { result, controller, listeners, waiters: 0 };
    const forget = () => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    };
    result.then(forget, forget);
    this.#running.set(key, running);
    return running;
  }

  async #wait(running: Running<T, M>, { key, listener, signal }: Joining<T, M>): Promise<T> {
    running.waiters += 1;
    // Listeners are told apart by identity, so each waiter has its own.
    const own = listener === undefined ? undefined : (message: M) => listener(message);
    if (own !== undefined) {
      running.listeners.add(own);
      if (running.last !== undefined) own(running.last);
    }
    try {
      return await raceAbort(running.result, signal);
    } finally {
      if (own !== undefined) running.listeners.delete(own);
      running.waiters -= 1;
      if (running.waiters === 0) {
        // Nobody may join what is being called off.
        if (this.#running.get(key) === running) this.#running.delete(key);
        running.controller.abort(new EngineError('cancelled', 'nobody waits for it any more'));
        if (signal?.aborted === true) await running.result.catch(() => undefined);
      }
    }
  }
}
