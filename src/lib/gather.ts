import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** Pieces that wait for whoever reads them; then the source is told to stop. */
const mostWaiting = 2;

/**
 * Gathers what a stream gives into pieces of `size` bytes, each a buffer of its own; the last may be shorter. For
 * streams of many small pieces: it costs each of them a copy and nothing else. Left early, it
 * leaves the stream paused: to destroy a request is to destroy the way for its answer.
 */
export async function* gather(source: Readable, size: number): AsyncGenerator<Buffer, void, undefined> {
  const ready: Buffer[] = [];
  let bytes = Buffer.allocUnsafe(size);
  let length = 0;
  let news = Promise.withResolvers<void>();
  const onData = (piece: Buffer) => {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(bytes, length, at);
      at += copied;
      length += copied;
      if (length < size) continue;
      ready.push(bytes);
      bytes = Buffer.allocUnsafe(size);
      length = 0;
      news.resolve();
    }
    if (ready.length >= mostWaiting) source.pause();
  };
  let end: { readonly error?: unknown } | undefined;
  const onEnd = (how: { readonly error?: unknown }) => {
    end = how;
    news.resolve();
  };
  finished(source, { writable: false, cleanup: true }).then(
    () => {
      onEnd({});
    },
    (error: unknown) => {
      onEnd({ error });
    },
  );
  source.on('data', onData);
  source.resume();
  try {
    for (;;) {
      const next = ready.shift();
      if (next !== undefined) {
        if (ready.length < mostWaiting && source.isPaused()) source.resume();
        yield next;
      } else if (end === undefined) {
        await news.promise;
        news = Promise.withResolvers();
      } else if ('error' in end) {
        throw end.error;
      } else break;
    }
    if (length > 0) yield bytes.subarray(0, length);
  } finally {
    source.off('data', onData);
    if (end === undefined) source.pause();
  }
}
