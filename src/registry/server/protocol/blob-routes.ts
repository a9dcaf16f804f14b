import { pipeline } from 'node:stream/promises';
import { isCode } from '../../../errors/index.ts';
import type { ContentDigest } from '../content-digest.ts';
import type { BlobStorage } from '../storage/index.ts';
import { answer, type Exchange } from './exchange.ts';
import type { Origin } from './origin.ts';
import { parseRange } from './ranges.ts';
import { RegistryError } from './registry-error.ts';

export interface BlobContext {
  readonly blobs: BlobStorage;
  readonly origin: Origin;
}

interface Target {
  readonly repository: string;
  readonly digest: ContentDigest;
}

const immutable = 'max-age=31536000, immutable';

/** GET and HEAD of a blob, also in part. A HEAD is how a client decides not to upload, so it counts as use. */
export async function getBlob(
  exchange: Exchange,
  { blobs, origin }: BlobContext,
  { repository, digest }: Target,
): Promise<void> {
  const { request, response, method, signal } = exchange;
  const find = () => (method === 'HEAD' ? blobs.use(repository, digest) : blobs.info(repository, digest));
  let info = await find();
  if (info === undefined && origin.covers(repository)) {
    if (await passOn(exchange, origin, { repository, digest })) return;
    info = await find();
  }
  if (info === undefined) throw unknownBlob(digest);
  const headers = headersOf(digest);
  if (request.headers['if-none-match'] === headers.etag) {
    answer(exchange, 304, headers);
    return;
  }
  const range = parseRange(request.headers.range, info.size);
  if (range === 'unsatisfiable') {
    throw new RegistryError('SIZE_INVALID', 'the range lies outside of the blob', {
      status: 416,
      headers: { 'content-range': `bytes */${info.size}` },
    });
  }
  const length = range === undefined ? info.size : range.end - range.start + 1;
  const partial =
    range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${info.size}` };
  const status = range === undefined ? 200 : 206;
  if (method === 'HEAD' || length === 0) {
    answer(exchange, status, { ...headers, ...partial, 'content-length': length });
    return;
  }
  const content = await blobs.open(repository, digest, range);
  response.writeHead(status, { ...headers, ...partial, 'content-length': length });
  await pipeline(content, response, { signal });
}

/** Sends a blob while it arrives from elsewhere. False when it can be sent from the storage instead. */
async function passOn(exchange: Exchange, origin: Origin, { repository, digest }: Target): Promise<boolean> {
  const { request, response, method, signal } = exchange;
  try {
    await using incoming = await origin.fetch(repository, digest, signal);
    if (incoming === undefined) return false;
    const { size } = incoming;
    const range = size === undefined ? undefined : parseRange(request.headers.range, size);
    if (method === 'HEAD' ? size === undefined : range === 'unsatisfiable' || size === 0) {
      await incoming.stored(signal);
      return false;
    }
    const headers = headersOf(digest);
    if (method === 'HEAD') {
      answer(exchange, 200, { ...headers, 'content-length': size ?? 0 });
      return true;
    }
    const part = typeof range === 'object' ? range : undefined;
    const content = incoming.read(part ?? { start: 0 }, signal);
    // The head waits for the first bytes, so that what cannot be had is an error and not a broken answer.
    const first = await content[Symbol.asyncIterator]().next();
    response.writeHead(part === undefined ? 200 : 206, {
      ...headers,
      ...(size === undefined ? {} : { 'content-length': part ? part.end - part.start + 1 : size }),
      ...(part === undefined ? {} : { 'content-range': `bytes ${part.start}-${part.end}/${size}` }),
    });
    await pipeline(after(first, content), response, { signal });
    return true;
  } catch (error) {
    if (isCode(error, 'notFound')) throw unknownBlob(digest);
    throw error;
  }
}

async function* after(first: IteratorResult<Buffer>, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (first.done !== true) yield first.value;
  yield* rest;
}

function headersOf(digest: ContentDigest) {
  return {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    'cache-control': immutable,
    etag: `"${digest}"`,
  };
}

export async function deleteBlob(
  exchange: Exchange,
  { blobs }: BlobContext,
  { repository, digest }: Target,
): Promise<void> {
  if (!(await blobs.delete(repository, digest))) throw unknownBlob(digest);
  answer(exchange, 202);
}

export function unknownBlob(digest: ContentDigest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', 'blob unknown to registry', { detail: { digest } });
}
