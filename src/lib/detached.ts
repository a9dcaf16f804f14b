import { finished, Readable } from 'node:stream';

/**
 * The bytes of `source` as a stream that may be destroyed without it: what it has not given by then runs out unread.
 * For a request, on whose connection the answer goes, and whose client may read none before it has sent all.
 */
export function detached(source: Readable): Readable {
  const stream = new Readable({ read: () => source.resume() });
  const onData = (piece: Buffer) => {
    if (!stream.push(piece)) source.pause();
  };
  source.pause().on('data', onData);
  finished(source, { writable: false }, (error) => {
    if (error) stream.destroy(error);
    else stream.push(null);
  });
  // Whoever reads it is told; one that nobody reads may fail unheard.
  stream.on('error', () => undefined);
  return stream.once('close', () => {
    source.off('data', onData).resume();
  });
}
