/**
 * A lean codec for tar archives (POSIX ustar and PAX, GNU) that keeps header bytes as they are.
 *
 * Reading: `for await (const part of readTar(stream))`, or a `TarParser` fed by hand; an `entry` part is followed
 * by its `data` and `padding`. Writing: `encodeTarEntry(entry)`, `entry.size` bytes, `paddingOf(entry.size)` zeros,
 * and `tarEnd` at last. Names are `ByteString`s.
 */
export * from './byte-string.ts';
export * from './encode.ts';
export * from './entry.ts';
export * from './parser.ts';
