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
  /** Up to this a blob goes in one request; what is larger in pieces, so that a broken one costs no more than itself. */
  readonly pieceBytes: number;
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
  let sent = 0;
  const onProgress = (bytes: number) => {
    sent = bytes;
    options.onProgress?.(bytes);
  };
  const upload = new Upload(target, source, { onProgress, signal });
  let tried = false;
  const run = async () => {
    // What broke may have been the answer to an upload that was complete.
    if (tried && (await hasBlob(target, source.digest, signal))) {
      onProgress(source.size);
      return;
    }
    tried = true;
    await upload.run();
  };
  await retrying(signal, run, { made: () => sent });
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

/** One blob on its way up; `run` again goes on where the registry says it stands. */
class Upload {
  readonly #target: Target;
  readonly #source: BlobSource;
  readonly #options: UploadOptions;
  #location: URL | undefined;
  #offset = 0;

  constructor(target: Target, source: BlobSource, options: UploadOptions) {
    this.#target = target;
    this.#source = source;
    this.#options = options;
  }

  async run(): Promise<void> {
    const resumed = await this.#resume();
    if (!resumed) await this.#begin();
    const { size } = this.#source;
    const { pieceBytes } = this.#target;
    if (this.#offset === 0 && size <= pieceBytes) return this.#finish(0);
    while (this.#offset < size)
      await this.#piece(this.#offset, Math.min(this.#offset + pieceBytes, size) - 1);
    await this.#finish(size);
  }

  async #begin(): Promise<void> {
    this.#offset = 0;
    const response = await this.#send('POST', `/v2/${this.#target.path}/blobs/uploads/`, {
      headers: { 'content-length': '0' },
      expect: [202],
    });
    this.#follow(response);
  }

  /** Asks where an upload in pieces stands. False when there is none to go on with. */
  async #resume(): Promise<boolean> {
    const location = this.#location;
    if (location === undefined) return false;
    if (this.#source.size <= this.#target.pieceBytes) return false;
    try {
      const response = await this.#send('GET', location, { expect: [204, 200, 202] });
      const end = /^(?:bytes=)?0-(\d+)$/.exec(response.headers['range'] ?? '')?.[1];
      this.#follow(response);
      // `0-0` is what registries say of nothing as well as of one byte.
      this.#offset = end === undefined || end === '0' ? 0 : Number(end) + 1;
      if (this.#offset > this.#source.size) return false;
      this.#options.onProgress(this.#offset);
      return true;
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
      return false;
    }
  }

  async #piece(start: number, end: number): Promise<void> {
    const response = await this.#send('PATCH', this.#where(), {
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(end - start + 1),
        'content-range': `${start}-${end}`,
      },
      body: () => this.#bytes(start, end),
      expect: [202],
    });
    this.#follow(response);
    this.#offset = end + 1;
  }

  /** Ends the upload; the bytes from `from` on go along. */
  async #finish(from: number): Promise<void> {
    const { digest, size } = this.#source;
    const url = new URL(this.#where());
    url.searchParams.append('digest', digest);
    const empty = from >= size;
    await this.#send('PUT', url, {
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(size - from),
      },
      ...(empty ? {} : { body: () => this.#bytes(from, size - 1) }),
      expect: [201, 202, 204],
    });
    this.#options.onProgress(size);
  }

  async #bytes(start: number, end: number) {
    const stream = await this.#source.open(start, end);
    return counted(stream, (count) => {
      this.#options.onProgress(start + count);
    });
  }

  #where(): URL {
    if (this.#location === undefined)
      throw new EngineError('unavailable', 'the registry gave no place to upload to');
    return this.#location;
  }

  /** The last `Location` counts; it may be relative. */
  #follow(response: HttpResponse): void {
    const location = response.headers['location'];
    if (location !== undefined) this.#location = this.#target.session.urlOf(location, response.url);
  }

  async #send(
    method: 'GET' | 'POST' | 'PATCH' | 'PUT',
    at: string | URL,
    request: Pick<Parameters<Session['send']>[0], 'headers' | 'body' | 'expect'>,
  ): Promise<HttpResponse> {
    const { session, scopes } = this.#target;
    const response = await session.send({ ...request, method, at, scopes, signal: this.#options.signal });
    await discard(response);
    return response;
  }
}
