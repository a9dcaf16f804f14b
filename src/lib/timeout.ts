import { raceAbort } from './keyed-lock.ts';

/** A timer of Node that is to wait longer fires at once. */
const longestPieceMs = 2 ** 31 - 1;

/** A signal that aborts after any time, also one that is too long or not whole for a timer. Dispose once nobody waits. */
export class Timeout implements Disposable {
  readonly #over = new AbortController();
  readonly #keepsProcess: boolean;
  #timer: NodeJS.Timeout | undefined;

  /** With `ref: false` it does not keep the process from its end. */
  constructor(ms: number, { ref = true }: { readonly ref?: boolean } = {}) {
    this.#keepsProcess = ref;
    this.#wait(ms);
  }

  /** Aborts with a `TimeoutError`, as that of `AbortSignal.timeout` does. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    const pieceMs = Math.min(ms, longestPieceMs);
    this.#timer = setTimeout(() => {
      if (ms > pieceMs) this.#wait(ms - pieceMs);
      else this.#over.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    }, pieceMs);
    if (!this.#keepsProcess) this.#timer.unref();
  }
}

/**
 * Whether a promise settles in time; a negative time waits for ever. Rejects as the promise does, and with the signal's
 * reason when it aborts first.
 */
export async function settlesInTime(
  promise: Promise<unknown>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  if (timeoutMs < 0) {
    await raceAbort(promise, signal);
    return true;
  }
  using timeout = new Timeout(timeoutMs);
  try {
    const signals = signal === undefined ? [timeout.signal] : [timeout.signal, signal];
    await raceAbort(promise, AbortSignal.any(signals));
    return true;
  } catch (error) {
    if (error === timeout.signal.reason) return false;
    throw error;
  }
}
