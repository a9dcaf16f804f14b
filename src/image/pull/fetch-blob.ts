import type { Readable } from 'node:stream';
import type { PartialBlob } from '../../content/index.ts';
import { codeOf, EngineError, isAbortError, messageOf } from '../../errors/index.ts';
import { failureOf, type RemoteRepository, retrying } from '../../registry/index.ts';
import type { ImageLayer } from '../images.ts';

export interface Fetch {
  readonly repository: RemoteRepository;
  readonly layer: ImageLayer;
  readonly blob: PartialBlob;
  readonly onProgress: (current: number, total: number) => void;
  readonly onRetry: (waitMs: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Brings the rest of a blob, going on from the byte where a connection broke; a server that knows no ranges sends
 * what is there again. Gives up after several tries without a new byte. Not verified.
 */
export async function fetchBlob(fetch: Fetch): Promise<void> {
  const { blob, layer, signal } = fetch;
  await retrying(signal, () => fetchOnce(fetch), { made: () => blob.size, onRetry: fetch.onRetry });
  if (blob.size !== layer.size) throw new EngineError('unavailable', 'unexpected EOF');
}

async function fetchOnce({ repository, layer, blob, onProgress, signal }: Fetch): Promise<void> {
  if (blob.size === layer.size) return;
  const { stream, start } = await repository.blob(layer.digest, { start: blob.size, signal }).catch(shorter);
  if (start > blob.size) {
    stream.destroy();
    throw new EngineError(
      'unavailable',
      `the registry sent ${layer.digest} from byte ${start} on, not ${blob.size}`,
    );
  }
  await blob.append(told(from(stream, blob.size - start), () => onProgress(blob.size, layer.size)));
  onProgress(blob.size, layer.size);
  if (blob.size < layer.size)
    throw new EngineError('unavailable', `unexpected EOF after ${blob.size} of ${layer.size} bytes`);
}

/** The registry's blob ends where ours does, but the manifest says that there is more. */
function shorter(error: unknown): never {
  if (failureOf(error)?.status !== 416) throw error;
  throw new EngineError('invalidArgument', 'unexpected EOF: the blob is shorter than its manifest says', {
    cause: error,
  });
}

/** The stream without its first bytes. Whatever breaks it is the line's fault. */
async function* from(stream: Readable, skip: number): AsyncGenerator<Buffer> {
  let left = skip;
  try {
    for await (const piece of stream) {
      const chunk = piece as Buffer;
      if (left < chunk.length) yield left === 0 ? chunk : chunk.subarray(left);
      left = Math.max(0, left - chunk.length);
    }
  } catch (error) {
    // What the reader throws does not pass here.
    if (isAbortError(error) || codeOf(error) === 'cancelled') throw error;
    throw new EngineError('unavailable', `the connection broke: ${messageOf(error)}`, { cause: error });
  }
}

async function* told(source: AsyncIterable<Buffer>, tell: () => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    yield chunk;
    tell();
  }
}
