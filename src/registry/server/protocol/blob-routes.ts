import { pipeline } from 'node:stream/promises';
import type { ContentDigest } from '../content-digest.ts';
import type { BlobStorage } from '../storage/index.ts';
import { answer, type Exchange } from './exchange.ts';
import { parseRange } from './ranges.ts';
import { RegistryError } from './registry-error.ts';

const immutable = 'max-age=31536000, immutable';

/** GET and HEAD of a blob, also in part. A HEAD is how a client decides not to upload, so it counts as use. */
export async function getBlob(
  exchange: Exchange,
  blobs: BlobStorage,
  { repository, digest }: { readonly repository: string; readonly digest: ContentDigest },
): Promise<void> {
  const { request, response, method, signal } = exchange;
  const info = method === 'HEAD' ? await blobs.use(repository, digest) : await blobs.info(repository, digest);
  if (info === undefined) throw unknownBlob(digest);
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    'cache-control': immutable,
    etag: `"${digest}"`,
  };
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

export async function deleteBlob(
  exchange: Exchange,
  blobs: BlobStorage,
  { repository, digest }: { readonly repository: string; readonly digest: ContentDigest },
): Promise<void> {
  if (!(await blobs.delete(repository, digest))) throw unknownBlob(digest);
  answer(exchange, 202);
}

export function unknownBlob(digest: ContentDigest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', 'blob unknown to registry', { detail: { digest } });
}
