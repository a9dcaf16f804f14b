import { isCode } from '../../../errors/index.ts';
import { type Algorithm, algorithmOf, type ContentDigest, isAlgorithm } from '../content-digest.ts';
import type { RegistryStorage, UploadWriter } from '../storage/index.ts';
import { answer, type Exchange, lengthOf } from './exchange.ts';
import type { Limits } from './limits.ts';
import { parseChunkRange, receivedRange } from './ranges.ts';
import { RegistryError } from './registry-error.ts';
import { parseContentDigest, parseRepository } from './route.ts';

export interface UploadContext {
  readonly storage: Pick<RegistryStorage, 'blobs' | 'uploads'>;
  readonly limits: Limits;
}

/** POST: begins an upload, takes a whole blob at once (`digest`), or mounts one of another repository (`mount`). */
export async function beginUpload(
  exchange: Exchange,
  context: UploadContext,
  repository: string,
): Promise<void> {
  const { query } = exchange;
  if (query.has('mount') && (await mountBlob(exchange, context, repository))) return;
  const { uploads } = context.storage;
  const digest = query.has('digest') ? parseContentDigest(query.get('digest')) : undefined;
  const algorithm = digest === undefined ? algorithmIn(query) : algorithmOf(digest);
  const { id } = await uploads.start(repository, algorithm);
  if (digest === undefined) {
    answer(exchange, 202, progress(repository, id, 0));
    return;
  }
  await using writer = await open(exchange, context, repository, id);
  try {
    await receive(exchange, writer, context.limits);
    await finish(exchange, context, { repository, writer, digest });
  } catch (error) {
    // Nobody has been told of this upload.
    await writer.cancel();
    throw error;
  }
}

/** PATCH: appends a chunk; without a Content-Range the body goes on where the upload is. */
export async function appendChunk(
  exchange: Exchange,
  context: UploadContext,
  { repository, id }: { readonly repository: string; readonly id: string },
): Promise<void> {
  await using writer = await open(exchange, context, repository, id);
  await checkPosition(exchange, writer, repository);
  await receive(exchange, writer, context.limits);
  answer(exchange, 202, progress(repository, id, writer.size));
}

/** PUT: ends an upload, with the last chunk (or all of it) in the body or before. */
export async function endUpload(
  exchange: Exchange,
  context: UploadContext,
  { repository, id }: { readonly repository: string; readonly id: string },
): Promise<void> {
  const digest = parseContentDigest(exchange.query.get('digest'));
  await using writer = await open(exchange, context, repository, id);
  await checkPosition(exchange, writer, repository);
  await receive(exchange, writer, context.limits);
  await finish(exchange, context, { repository, writer, digest });
}

/** GET: how far the upload is. */
export async function getUpload(
  exchange: Exchange,
  context: UploadContext,
  { repository, id }: { readonly repository: string; readonly id: string },
): Promise<void> {
  const status = await context.storage.uploads.status(repository, id);
  if (status === undefined) throw unknownUpload(id);
  answer(exchange, 204, progress(repository, id, status.size));
}

/** DELETE: the client gives up. */
export async function cancelUpload(
  exchange: Exchange,
  context: UploadContext,
  { repository, id }: { readonly repository: string; readonly id: string },
): Promise<void> {
  if (!(await context.storage.uploads.cancel(repository, id))) throw unknownUpload(id);
  answer(exchange, 204);
}

async function mountBlob(exchange: Exchange, context: UploadContext, repository: string): Promise<boolean> {
  const digest = parseContentDigest(exchange.query.get('mount'));
  const from = exchange.query.get('from');
  // Without a source there is nothing to check the caller's right to the blob against: it uploads.
  if (from === null || !exchange.may(parseRepository(from), 'pull')) return false;
  const quota = context.limits.quotaOf(repository);
  if (!(await context.storage.blobs.mount(digest, from, repository, quota))) return false;
  answer(exchange, 201, stored(repository, digest));
  return true;
}

async function open(
  { signal }: Exchange,
  { storage }: UploadContext,
  repository: string,
  id: string,
): Promise<UploadWriter> {
  const writer = await storage.uploads.resume(repository, id, signal);
  if (writer === undefined) throw unknownUpload(id);
  return writer;
}

/** Chunks come in order: one that begins elsewhere is refused with what has arrived. */
async function checkPosition(exchange: Exchange, writer: UploadWriter, repository: string): Promise<void> {
  const header = exchange.request.headers['content-range'];
  if (header === undefined) return;
  const range = parseChunkRange(header);
  if (range === undefined) {
    throw new RegistryError('BLOB_UPLOAD_INVALID', `invalid Content-Range ${JSON.stringify(header)}`);
  }
  if (range.start !== writer.size) {
    throw new RegistryError('BLOB_UPLOAD_INVALID', `the upload goes on at byte ${writer.size}`, {
      status: 416,
      headers: progress(repository, writer.id, writer.size),
    });
  }
  const length = lengthOf(exchange);
  if (length !== undefined && length !== range.end - range.start + 1) {
    throw new RegistryError('SIZE_INVALID', `Content-Range ${header} does not fit Content-Length ${length}`);
  }
}

/** Writes the body to the upload. An upload for which there is no room is dropped, so that there is some again. */
async function receive(exchange: Exchange, writer: UploadWriter, limits: Limits): Promise<void> {
  const mostBytes = limits.blobBytes;
  const tooLarge = () =>
    new RegistryError('SIZE_INVALID', `a blob may have at most ${mostBytes} bytes here`, { status: 413 });
  const length = lengthOf(exchange) ?? 0;
  try {
    if (writer.size + length > mostBytes) throw tooLarge();
    const before = writer.size;
    await writer.append(capped(exchange.body, mostBytes - before, tooLarge), exchange.signal);
  } catch (error) {
    if (isCode(error, 'outOfSpace') || (error instanceof RegistryError && error.status === 413)) {
      await writer.cancel();
    }
    throw error;
  }
}

async function* capped(
  body: AsyncIterable<Buffer>,
  bytes: number,
  tooLarge: () => Error,
): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of body) {
    left -= chunk.length;
    if (left < 0) throw tooLarge();
    yield chunk;
  }
}

async function finish(
  exchange: Exchange,
  { limits }: UploadContext,
  blob: { readonly repository: string; readonly writer: UploadWriter; readonly digest: ContentDigest },
): Promise<void> {
  const { repository, writer, digest } = blob;
  await writer.commit(digest, limits.quotaOf(repository));
  answer(exchange, 201, stored(repository, digest));
}

function algorithmIn(query: URLSearchParams): Algorithm {
  const name = query.get('digest-algorithm') ?? 'sha256';
  if (isAlgorithm(name)) return name;
  throw new RegistryError('DIGEST_INVALID', `unsupported digest algorithm ${JSON.stringify(name)}`);
}

function progress(repository: string, id: string, size: number) {
  return {
    location: `/v2/${repository}/blobs/uploads/${id}`,
    range: receivedRange(size),
    'docker-upload-uuid': id,
  };
}

function stored(repository: string, digest: ContentDigest) {
  return { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest };
}

function unknownUpload(id: string): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry', { detail: { id } });
}
