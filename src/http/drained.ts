import type { Writable } from 'node:stream';
import { raceAbort } from '../lib/keyed-lock.ts';

/** Resolves when `stream` takes more (or has closed); rejects with the signal's reason. */
export async function drained(stream: Writable, signal?: AbortSignal): Promise<void> {
  if (stream.destroyed || !stream.writableNeedDrain) return;
  const ready = Promise.withResolvers<void>();
  const done = () => {
    ready.resolve();
  };
  stream.once('drain', done).once('close', done);
  try {
    await raceAbort(ready.promise, signal);
  } finally {
    stream.off('drain', done).off('close', done);
  }
}
