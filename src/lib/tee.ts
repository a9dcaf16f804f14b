import { once } from 'node:events';
import type { Writable } from 'node:stream';

/**
 * Passes a source on while writing it to `writable`, at the pace of the slower. Throws what `writable` failed with,
 * also when it failed while nobody looked. The caller ends `writable`.
 */
export async function* tee(
  writable: Writable,
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of source) {
    if (!writable.write(chunk)) await drained(writable);
    yield chunk;
  }
}

/** A stream that failed earlier says so only in `errored`: its event is gone, and there will be no drain. */
async function drained(writable: Writable): Promise<void> {
  if (writable.errored !== null) throw writable.errored;
  if (writable.destroyed) throw new Error('the stream was closed while it was written to');
  if (writable.writableNeedDrain) await once(writable, 'drain');
}
