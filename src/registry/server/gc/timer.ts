import { once } from 'node:events';
import { isAbortError } from '../../../errors/index.ts';
import { Timeout } from '../../../lib/timeout.ts';

/** Runs `work` every so often, one run after the other. Dispose ends it and waits for a run under way. */
export function startTimer(
  everyMs: number,
  work: (signal: AbortSignal) => Promise<void>,
  onError: (error: unknown) => void,
): AsyncDisposable {
  const ended = new AbortController();
  const { signal } = ended;
  const loop = async () => {
    for (;;) {
      try {
        // Processes on the same storage do not all run at once.
        using timeout = new Timeout(everyMs * (0.9 + 0.2 * Math.random()), { ref: false });
        await once(timeout.signal, 'abort', { signal });
        await work(signal);
      } catch (error) {
        if (signal.aborted && isAbortError(error)) return;
        onError(error);
      }
    }
  };
  const running = loop();
  return {
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await running;
    },
  };
}
