import { EngineError, isCode } from '../../errors/index.ts';
import { counted } from '../../lib/counted.ts';
import type { Digest } from '../../oci/index.ts';
import { discard } from './body.ts';
import { failureOf } from './failure.ts';
import type { HttpResponse } from './http.ts';
import type { BlobSource, PushBlobOptions, PushedBlob } from './registry-client.ts';
import { retrying } from './retrying.ts';
import type { Session } from './session.ts';

/** A repository one may push to. */
export interface Target {
  readonly session: Session;
  readonly path: string;
  readonly scopes: readonly string[];
}

/** Other repositories asked for a mount. */
const mostMounts = 3;

/** Makes a registry have a blob by the cheapest way it offers. */
export async function pushBlob(
  target: Target,
  source: BlobSource,
  options: PushBlobOptions,
): Promise<PushedBlob> {
  const { signal } = options;
  if (await retrying(signal, () => hasBlob(target, source.digest, signal))) return { kind: 'exists' };
  for (const from of (options.mountFrom ?? []).slice(0, mostMounts)) {
    const mounted = await mount(target, { digest: source.digest, from, signal });
    if (mounted) return { kind: 'mounted', from };
  }
  const onProgress = (bytes: number) => options.onProgress?.(bytes);
  let tried = false;
  await retrying(signal, async () => {
    // What broke may have been the answer to an upload that was complete.
    if (tried && (await hasBlob(target, source.digest, signal))) {
      onProgress(source.size);
      return;
    }
    tried = true;
    await upload(target, source, { onProgress, signal });
  });
  return { kind: 'uploaded' };
}

async function hasBlob(target: Target, digest: Digest, signal: AbortSignal | undefined): Promise<boolean> {
  const at = `/v2/${target.path}/blobs/${digest}`;
  try {
    const response = await target.session.send({
      method: 'HEAD',
      at,
      scopes: target.scopes,
      expect: [200, 404],
      signal,
    });
    await discard(response);
    return response.status === 200;
  } catch (error) {
    // Nobody may look, but perhaps push: the upload tells.
    if (isCode(error, 'forbidden')) return false;
    throw error;
  }
}

/** False when the registry would rather have the bytes, for whatever reason: the upload tells what is wrong. */
async function mount(
  { session, path, scopes }: Target,
  {
    digest,
    from,
    signal,
  }: { readonly digest: Digest; readonly from: string; readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  const query = new URLSearchParams({ mount: digest, from });
  try {
    const response = await session.send({
      method: 'POST',
      at: `/v2/${path}/blobs/uploads/?${query.toString()}`,
      scopes: [...scopes, `repository:${from}:pull`],
      headers: { 'content-length': '0' },
      expect: [201, 202],
      signal,
    });
    await discard(response);
    if (response.status === 201) return true;
    await cancel(session, { scopes, begun: response });
    return false;
  } catch (error) {
    signal?.throwIfAborted();
    if (failureOf(error) === undefined) throw error;
    return false;
  }
}

/** A registry that does not mount has begun an upload, which nobody will send. */
async function cancel(
  session: Session,
  { scopes, begun }: { readonly scopes: readonly string[]; readonly begun: HttpResponse },
): Promise<void> {
  const location = begun.headers['location'];
  if (location === undefined) return;
  try {
    const at = session.urlOf(location, begun.url);
    await discard(await session.send({ method: 'DELETE', at, scopes, expect: [200, 202, 204, 404] }));
  } catch (error) {
    // Registries drop uploads that nobody ends.
    if (!(error instanceof EngineError)) throw error;
  }
}

interface UploadOptions {
  readonly onProgress: (sentBytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** One request with all bytes: some registries take no uploads in pieces, or only of a few megabytes. */
async function upload(
  { session, path, scopes }: Target,
  source: BlobSource,
  { onProgress, signal }: UploadOptions,
): Promise<void> {
  const begun = await session.send({
    method: 'POST',
    at: `/v2/${path}/blobs/uploads/`,
    scopes,
    headers: { 'content-length': '0' },
    expect: [202],
    signal,
  });
  await discard(begun);
  const location = begun.headers['location'];
  if (location === undefined) throw new EngineError('unavailable', 'the registry gave no place to upload to');
  // It may be relative.
  const at = session.urlOf(location, begun.url);
  at.searchParams.append('digest', source.digest);
  const done = await session.send({
    method: 'PUT',
    at,
    scopes,
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(source.size) },
    ...(source.size === 0 ? {} : { body: async () => counted(await source.open(), onProgress) }),
    expect: [201, 202, 204],
    signal,
  });
  await discard(done);
  onProgress(source.size);
}
