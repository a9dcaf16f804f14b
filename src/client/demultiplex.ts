import { EngineError } from '../errors/index.ts';

/** A piece of a container's output. Pieces follow the order of the connection, not lines. */
export interface StdioChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

const headerSize = 8;

/**
 * Splits Docker's framed output: 8-byte headers `[stream,0,0,0,length BE]`, then the payload. A payload that has not
 * fully arrived is handed on in pieces, so nothing is held back. Throws `internal` with the text of an error frame (3)
 * and for a stream that ends inside a frame.
 */
export async function* demultiplex(
  source: AsyncIterable<Buffer>,
): AsyncGenerator<StdioChunk, void, undefined> {
  const header = Buffer.alloc(headerSize);
  let headerFilled = 0;
  let remaining = 0;
  let errorText = '';
  for await (const chunk of source) {
    let at = 0;
    while (at < chunk.length) {
      if (remaining === 0) {
        const taken = Math.min(headerSize - headerFilled, chunk.length - at);
        chunk.copy(header, headerFilled, at, at + taken);
        headerFilled += taken;
        at += taken;
        if (headerFilled < headerSize) break;
        headerFilled = 0;
        remaining = header.readUInt32BE(4);
        errorText = '';
        if (header.readUInt8(0) > 3) {
          throw new EngineError('internal', `Unrecognized input header: ${header.readUInt8(0)}`);
        }
        continue;
      }
      const data = chunk.subarray(at, at + remaining);
      at += data.length;
      remaining -= data.length;
      const kind = header.readUInt8(0);
      if (kind !== 3) {
        yield { stream: kind === 2 ? 'stderr' : 'stdout', data };
        continue;
      }
      errorText += data.toString('utf8');
      if (remaining === 0) throw new EngineError('internal', `error from daemon in stream: ${errorText}`);
    }
  }
  if (remaining > 0 || headerFilled > 0) {
    throw new EngineError('internal', 'The output ended in the middle of a frame: the connection was lost');
  }
}

/** The raw bytes of a terminal, in the same shape as framed output. */
export async function* rawOutput(source: AsyncIterable<Buffer>): AsyncGenerator<StdioChunk, void, undefined> {
  for await (const data of source) yield { stream: 'stdout', data };
}
