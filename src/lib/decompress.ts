import { once } from 'node:events';
import { Duplex, pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { EngineError, errnoOf, hasErrno } from '../errors/index.ts';
import { exitOf, failure, killGroup, start } from './process.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];
const longestMagic = 6;
const chunkSize = 256 << 10;

/** How bytes that begin so are compressed. */
export function compressionOf(head: Uint8Array): Compression {
  const found = magics.find(([, magic]) => magic.every((byte, index) => head[index] === byte));
  return found?.[0] ?? 'none';
}

/**
 * The plain bytes of a stream that may be compressed, told by its first bytes; a plain one is returned itself.
 * Errors of either side reach both. Damaged bytes end it with `invalidArgument`.
 */
export async function decompress(
  source: Readable,
): Promise<{ readonly stream: Readable; readonly compression: Compression }> {
  const { head, stream } = await peek(source);
  const compression = compressionOf(head);
  switch (compression) {
    case 'none':
      return { stream, compression };
    case 'gzip':
      return { stream: through(stream, createGunzip({ chunkSize }), compression), compression };
    case 'zstd':
      return { stream: through(stream, createZstdDecompress({ chunkSize }), compression), compression };
    case 'bzip2':
    case 'xz':
      return { stream: through(stream, program(compression), compression), compression };
  }
}

/** The first bytes, and a stream that gives them again. */
async function peek(source: Readable): Promise<{ head: Buffer; stream: Readable }> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < longestMagic && !source.readableEnded) {
    const chunk = source.read() as Buffer | null;
    if (chunk !== null) {
      head = Buffer.concat([head, chunk]);
    } else {
      const controller = new AbortController();
      const { signal } = controller;
      if (source.destroyed) throw source.errored ?? new EngineError('cancelled', 'the stream was closed');
      const waits = ['readable', 'end', 'close'].map(async (event) => once(source, event, { signal }));
      try {
        await Promise.race(waits);
      } finally {
        controller.abort();
        await Promise.allSettled(waits);
      }
    }
  }
  if (source.readableEnded) return { head, stream: Readable.from([head], { objectMode: false }) };
  if (head.length > 0) source.unshift(head);
  return { head, stream: source };
}

/** Joins a decoder to its source. */
function through(source: Readable, decoder: Duplex, compression: Compression): Readable {
  // Either one's error destroys the decoder, and so ends whoever reads it.
  pipeline(source, decoder, () => undefined);
  decoder.on('error', () => undefined);
  const plain = Readable.from(translated(decoder, compression), {
    objectMode: false,
    highWaterMark: chunkSize,
  });
  return plain.once('close', () => decoder.destroy());
}

async function* translated(decoder: Readable, compression: Compression): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of decoder) yield chunk as Buffer;
  } catch (error) {
    const code = errnoOf(error) ?? '';
    if (!/^(?:Z_|ZSTD_|ERR_ZSTD)/.test(code)) throw error;
    const text = error instanceof Error ? error.message : code;
    throw new EngineError('invalidArgument', `damaged ${compression} data: ${text}`, { cause: error });
  }
}

/** `xz -dc` or `bzip2 -dc` as a stream. */
function program(name: 'xz' | 'bzip2'): Duplex {
  const child = start(name, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) {
    throw new EngineError('internal', `${name} has no pipes`);
  }
  const exited = exitOf(name, child);
  exited.catch(() => undefined); // Whoever reads gets it below.
  stdin.on('error', (error) => {
    // The program stopped early; its exit code tells why.
    if (!hasErrno(error, 'EPIPE')) stdout.destroy(error);
  });
  const output = async function* (): AsyncGenerator<Buffer> {
    try {
      let message = '';
      stderr.on('data', (chunk: Buffer) => {
        if (message.length < 4096) message += chunk.toString();
      });
      for await (const chunk of stdout) yield chunk as Buffer;
      const exitCode = await exited;
      if (exitCode !== 0) {
        const cause = failure(name, ['-dc'], exitCode, message);
        throw new EngineError('invalidArgument', `damaged ${name} data: ${message.trim()}`, { cause });
      }
    } finally {
      if (child.exitCode === null) killGroup(child);
    }
  };
  return Duplex.from({ writable: stdin, readable: Readable.from(output(), { objectMode: false }) });
}
