import { type Backoff, pause, waitMs } from '../../lib/backoff.ts';
import { failureOf, isTransient } from './failure.ts';

const backoff: Backoff = { retries: 5, firstMs: 250, longestMs: 8_000 };

/**
 * Tries work again while its failures may pass, waiting longer each time or as long as the registry asked. `made`
 * tells how far the work has come: progress between two failures makes the count begin anew.
 */
export async function retrying<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
  options: {
    readonly made?: () => number;
    readonly onRetry?: (waitMs: number) => void;
    /** Failures that this work knows to be final. */
    readonly isFinal?: (error: unknown) => boolean;
  } = {},
): Promise<T> {
  let before = options.made?.() ?? 0;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      const made = options.made?.() ?? 0;
      if (made > before) attempt = 0;
      before = made;
      if (attempt >= backoff.retries || !isTransient(error) || options.isFinal?.(error) === true) throw error;
      const ms = waitMs(backoff, attempt, failureOf(error)?.retryAfterMs);
      options.onRetry?.(ms);
      await pause(ms, signal);
    }
  }
}
