import { setTimeout as sleep } from 'node:timers/promises';

export interface Backoff {
  /** Tries after the first. */
  readonly retries: number;
  /** Wait before the first retry; each later one doubles it. */
  readonly firstMs: number;
  readonly longestMs: number;
}

/** The wait before retry `attempt` (from 0), at least what the other side asked for, and never over a minute. */
export function waitMs(backoff: Backoff, attempt: number, askedMs = 0): number {
  const own = Math.min(backoff.firstMs * 2 ** attempt, backoff.longestMs);
  return Math.min(Math.max(own, askedMs), 60_000);
}

/** Sleeps, or rejects with the signal's reason. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
