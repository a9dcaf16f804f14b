import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);
/** Compressed by itself: large enough that the ratio hardly suffers. */
const blockSize = 2 << 20;
/** Nearly as small as the usual 6 for a third of the time. */
const level = 4;
const noBytes = Buffer.alloc(0);

/**
 * Gzip by all processors: a file of several members, which every reader takes for one stream [RFC 1952, 2.2]. Equal
 * bytes give equal bytes, whatever pieces they come in.
 */
export async function* parallelGzip(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const pending: Promise<Buffer>[] = [];
  const most = availableParallelism() + 1;
  for await (const block of blocks(source)) {
    const compressing = compress(block, { level });
    compressing.catch(() => undefined); // Awaited in its turn.
    pending.push(compressing);
    if (pending.length >= most) yield (await pending.shift()) ?? noBytes;
  }
  for (const compressed of pending) yield await compressed;
}

/** Blocks of one size, the last one shorter; one empty block of nothing. */
async function* blocks(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  let any = false;
  for await (const chunk of source) {
    let rest = chunk;
    while (size + rest.length >= blockSize) {
      const head = rest.subarray(0, blockSize - size);
      yield Buffer.concat([...parts, head]);
      any = true;
      parts = [];
      size = 0;
      rest = rest.subarray(head.length);
    }
    if (rest.length > 0) parts.push(Buffer.from(rest));
    size += rest.length;
  }
  if (size > 0 || !any) yield Buffer.concat(parts);
}
