import { EngineError, isCode } from '../../errors/index.ts';
import { type Digest, digestOf, isDigest, MediaType, type Reference } from '../../oci/index.ts';
import { discard, readBody, readJson } from './body.ts';
import { failureOf } from './failure.ts';
import type { HttpResponse } from './http.ts';
import { pushBlob, type Target } from './push-blob.ts';
import { pushManifest } from './push-manifest.ts';
import type {
  BlobSource,
  PushBlobOptions,
  PushedBlob,
  RemoteBlob,
  RemoteManifest,
  RemoteRepository,
} from './registry-client.ts';
import type { Session } from './session.ts';

export interface RepositoryOptions {
  readonly path: string;
  readonly scopes: readonly string[];
  /** One for each way to the registry, best first; opened when they are needed. */
  readonly sessions: readonly ((signal?: AbortSignal) => Promise<Session>)[];
}

const accept = [
  MediaType.ociIndex,
  MediaType.ociManifest,
  MediaType.dockerIndex,
  MediaType.dockerManifest,
].join(', ');
const longestManifest = 4 << 20;
const tagsPage = 1000;

export function createRemoteRepository(options: RepositoryOptions): RemoteRepository {
  return new Repository(options);
}

class Repository implements RemoteRepository {
  readonly #options: RepositoryOptions;
  /** The way that worked last: what a mirror has a manifest of, it has the blobs of as well. */
  #at = 0;

  constructor(options: RepositoryOptions) {
    this.#options = options;
  }

  async manifest(reference: Reference, signal?: AbortSignal): Promise<RemoteManifest> {
    return this.#anyway(signal, async (session) => {
      const response = await this.#ask(session, { method: 'GET', reference, signal });
      const bytes = await readBody(response, 'manifest', longestManifest);
      const digest = digestOf(bytes);
      const wanted = reference.digest ?? response.headers['docker-content-digest'];
      if (wanted !== undefined && wanted.startsWith('sha256:') && wanted !== digest) {
        throw new EngineError('invalidArgument', `manifest verification failed for digest ${wanted}`);
      }
      return { bytes, digest, mediaType: typeOf(response, bytes) };
    });
  }

  async resolve(reference: Reference, signal?: AbortSignal): Promise<Digest> {
    if (reference.digest !== undefined) return reference.digest;
    return this.#anyway(signal, async (session) => {
      try {
        const response = await this.#ask(session, { method: 'HEAD', reference, signal });
        await discard(response);
        const digest = response.headers['docker-content-digest'];
        if (digest !== undefined && isDigest(digest)) return digest;
      } catch (error) {
        // A refused HEAD has no body, and so no reason: GET tells it. Some registries know no HEAD at all.
        if (failureOf(error) === undefined) throw error;
      }
      return (await this.manifest(reference, signal)).digest;
    });
  }

  async blob(
    digest: Digest,
    options: { readonly start?: number; readonly signal?: AbortSignal } = {},
  ): Promise<RemoteBlob> {
    const { start = 0, signal } = options;
    return this.#anyway(signal, async (session) => {
      const response = await session.send({
        method: 'GET',
        at: `/v2/${this.#options.path}/blobs/${digest}`,
        scopes: this.#options.scopes,
        headers: {
          'accept-encoding': 'identity',
          ...(start === 0 ? {} : { range: `bytes=${start}-` }),
        },
        expect: [200, 206],
        signal,
      });
      if (response.status === 200) return { stream: response.body, start: 0 };
      const range = /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '');
      return { stream: response.body, start: range === null ? start : Number(range[1]) };
    });
  }

  async *tags(signal?: AbortSignal): AsyncGenerator<string, void, undefined> {
    const { path, scopes } = this.#options;
    let at: string | URL | undefined = `/v2/${path}/tags/list?n=${tagsPage}`;
    while (at !== undefined) {
      const here: string | URL = at;
      const { response, tags, session } = await this.#anyway(signal, async (one) => {
        const answer = await one.send({ method: 'GET', at: here, scopes, expect: [200], signal });
        const { tags: list } = await readJson(answer, 'list of tags');
        return { response: answer, tags: list ?? [], session: one };
      });
      if (!Array.isArray(tags)) throw new EngineError('invalidArgument', 'invalid list of tags');
      for (const tag of tags) if (typeof tag === 'string') yield tag;
      const next = /<([^>]*)>\s*;\s*rel="?next"?/.exec(response.headers['link'] ?? '')?.[1];
      at = next === undefined || tags.length === 0 ? undefined : session.urlOf(next, response.url);
    }
  }

  async pushBlob(source: BlobSource, options: PushBlobOptions = {}): Promise<PushedBlob> {
    return pushBlob(await this.#target(options.signal), source, options);
  }

  async pushManifest(
    manifest: RemoteManifest,
    reference: Reference,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await pushManifest(await this.#target(options.signal), { manifest, reference, signal: options.signal });
  }

  async #target(signal?: AbortSignal): Promise<Target> {
    const { path, scopes } = this.#options;
    return { session: await this.#anyway(signal, async (one) => one), path, scopes };
  }

  /** Tries the ways from the one that worked last on; the last one's error counts. */
  async #anyway<T>(signal: AbortSignal | undefined, work: (session: Session) => Promise<T>): Promise<T> {
    for (;;) {
      const at = this.#at;
      const open = this.#options.sessions[at];
      if (open === undefined) throw new EngineError('internal', 'the registry has no endpoint');
      try {
        return await work(await open(signal));
      } catch (error) {
        signal?.throwIfAborted();
        if (isCode(error, 'cancelled') || at + 1 >= this.#options.sessions.length) throw error;
        this.#at = Math.max(this.#at, at + 1);
      }
    }
  }

  #ask(
    session: Session,
    {
      method,
      reference,
      signal,
    }: {
      readonly method: 'GET' | 'HEAD';
      readonly reference: Reference;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<HttpResponse> {
    const { path, scopes } = this.#options;
    const name = reference.digest ?? reference.tag ?? 'latest';
    return session.send({
      method,
      at: `/v2/${path}/manifests/${name}`,
      scopes,
      headers: { accept },
      expect: [200],
      signal,
    });
  }
}

/** A document says its own type, if not the server does. */
function typeOf(response: HttpResponse, bytes: Buffer): string {
  const header = response.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (
    header !== '' &&
    header !== 'application/json' &&
    header !== 'application/octet-stream' &&
    header !== 'text/plain'
  ) {
    return header;
  }
  const own = /"mediaType"\s*:\s*"([^"]+)"/.exec(bytes.toString('utf8'))?.[1];
  if (bytes.includes('"manifests"')) return own ?? MediaType.ociIndex;
  return MediaType.ociManifest;
}
