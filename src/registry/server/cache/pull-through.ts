import { EngineError, isCode } from '../../../errors/index.ts';
import { raceAbort } from '../../../lib/keyed-lock.ts';
import { type Reference as FullReference, isDigest } from '../../../oci/index.ts';
import type { ContentDigest } from '../content-digest.ts';
import type { Limits } from '../protocol/limits.ts';
import { parseManifestDocument } from '../protocol/manifest-document.ts';
import type { IncomingBlob, Origin } from '../protocol/origin.ts';
import type { Reference } from '../protocol/route.ts';
import type { RegistryStorage } from '../storage/index.ts';
import { BlobFetch } from './blob-fetch.ts';
import type { UpstreamOf, UpstreamRepository } from './upstream.ts';

/** An upstream in trouble, or one that has had enough of us, is not asked again for so long while there is something. */
const quietMs = 15_000;
const retryMs = 250;
const mostKnownSizes = 20_000;

export interface PullThroughOptions {
  readonly storage: RegistryStorage;
  readonly upstreamOf: UpstreamOf;
  readonly limits: Limits;
  readonly onUse: (kind: 'manifest' | 'blob', result: 'hit' | 'miss' | 'stale' | 'shared') => void;
}

/**
 * A registry in front of others: what it lacks it gets from upstream, once for everybody who asks at the time, and
 * keeps. Tags are asked for again after their time; without an answer the old one is served. Dispose ends downloads.
 */
export class PullThrough implements Origin, AsyncDisposable {
  readonly #options: PullThroughOptions;
  readonly #ended = new AbortController();
  readonly #refreshing = new Map<string, Promise<'fresh' | 'stale'>>();
  readonly #fetching = new Map<string, Promise<BlobFetch | undefined>>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #quietUntil = new Map<string, number>();
  /** Sizes of blobs from manifests that passed; for answers that begin before the blob is here. */
  readonly #sizes = new Map<ContentDigest, number>();

  constructor(options: PullThroughOptions) {
    this.#options = options;
  }

  covers(repository: string): boolean {
    return this.#options.upstreamOf(repository) !== undefined;
  }

  async refresh(repository: string, reference: Reference, signal: AbortSignal): Promise<'fresh' | 'stale'> {
    const upstream = this.#upstream(repository);
    const held = await this.#held(repository, reference);
    const { storage, onUse } = this.#options;
    if (held !== undefined) {
      const immutable = reference.kind === 'digest';
      if (immutable || held.setMs > Date.now() - upstream.ttlMs) {
        onUse('manifest', 'hit');
        return 'fresh';
      }
      if ((this.#quietUntil.get(upstream.name.domain) ?? 0) > Date.now()) {
        onUse('manifest', 'stale');
        return 'stale';
      }
    }
    const key = `${repository} ${reference.kind === 'tag' ? reference.tag : reference.digest}`;
    let running = this.#refreshing.get(key);
    if (running === undefined) {
      const work = this.#ask(repository, { upstream, reference, held: held?.digest, storage });
      running = this.#track(work).finally(() => this.#refreshing.delete(key));
      this.#refreshing.set(key, running);
      running.catch(() => undefined);
    }
    const result = await raceAbort(running, signal);
    onUse('manifest', result === 'stale' ? 'stale' : 'miss');
    return result;
  }

  async fetch(
    repository: string,
    digest: ContentDigest,
    signal: AbortSignal,
  ): Promise<IncomingBlob | undefined> {
    const key = `${repository} ${digest}`;
    let starting = this.#fetching.get(key);
    this.#options.onUse('blob', starting === undefined ? 'miss' : 'shared');
    if (starting === undefined) {
      starting = this.#start(repository, digest, () => this.#fetching.delete(key));
      this.#fetching.set(key, starting);
      starting.catch(() => this.#fetching.delete(key));
    }
    const fetch = await raceAbort(starting, signal);
    if (fetch === undefined) return undefined;
    fetch.retain();
    let released = false;
    return {
      size: fetch.size,
      read: (range, until) => fetch.read(range, until),
      stored: async (until) => {
        await raceAbort(fetch.done, until);
      },
      [Symbol.asyncDispose]: async () => {
        if (released) return;
        released = true;
        await fetch.release();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await Promise.allSettled(this.#running);
  }

  #upstream(repository: string): UpstreamRepository {
    const upstream = this.#options.upstreamOf(repository);
    if (upstream === undefined) throw new EngineError('internal', `${repository} has no upstream`);
    return upstream;
  }

  async #held(repository: string, reference: Reference) {
    const { tags, manifests } = this.#options.storage;
    const tag =
      reference.kind === 'tag'
        ? await tags.get(repository, reference.tag)
        : { digest: reference.digest, setMs: 0 };
    if (tag === undefined || (await manifests.info(repository, tag.digest)) === undefined) return undefined;
    return tag;
  }

  async #ask(repository: string, work: Asking): Promise<'fresh' | 'stale'> {
    const { upstream, reference, held, storage } = work;
    const { client, name } = upstream;
    const wanted = fullReference(name, reference);
    const signal = this.#ended.signal;
    try {
      if (reference.kind === 'tag' && held !== undefined && (await client.resolve(wanted, signal)) === held) {
        await storage.tags.set(repository, reference.tag, held);
        return 'fresh';
      }
      const { bytes, digest } = await client.manifest(wanted, signal);
      await this.#store(repository, { bytes, digest });
      if (reference.kind === 'tag') {
        await storage.tags.set(repository, reference.tag, digest);
      }
      return 'fresh';
    } catch (error) {
      if (!isCode(error, 'unavailable') || held === undefined) throw error;
      this.#quietUntil.set(name.domain, Date.now() + quietMs);
      return 'stale';
    }
  }

  async #store(repository: string, manifest: { readonly bytes: Buffer; readonly digest: ContentDigest }) {
    const { storage, limits } = this.#options;
    const { subject, blobs } = parseManifestDocument(manifest.bytes);
    for (const { digest, size } of blobs) this.#sizes.set(digest, size);
    for (const digest of this.#sizes.keys()) {
      if (this.#sizes.size <= mostKnownSizes) break;
      this.#sizes.delete(digest);
    }
    const whole = { ...manifest, ...(subject === undefined ? {} : { subject }) };
    await storage.manifests.put(repository, whole, limits.quotaOf(repository));
  }

  async #start(repository: string, digest: ContentDigest, onEnd: () => void): Promise<BlobFetch | undefined> {
    const { storage, limits } = this.#options;
    const { client } = this.#upstream(repository);
    if (!isDigest(digest)) throw new EngineError('notFound', `no upstream knows ${digest}`);
    const size = await this.#sizeOf(repository, digest);
    // It may have arrived between the caller's look and now.
    if ((await storage.blobs.info(repository, digest)) !== undefined) {
      onEnd();
      return undefined;
    }
    const { id } = await storage.uploads.start(repository);
    const writer = await storage.uploads.resume(repository, id);
    if (writer === undefined) throw new EngineError('internal', 'a new upload is gone');
    const quota = limits.quotaOf(repository);
    const signal = this.#ended.signal;
    const fetch = new BlobFetch({ upstream: client, digest, size, writer, quota, retryMs, signal });
    this.#track(fetch.done)
      .finally(onEnd)
      .catch(() => undefined);
    return fetch;
  }

  /** From the manifests that passed lately, else from those stored. */
  async #sizeOf(repository: string, digest: ContentDigest): Promise<number | undefined> {
    const known = this.#sizes.get(digest);
    if (known !== undefined) return known;
    const { manifests } = this.#options.storage;
    for await (const info of manifests.list(repository)) {
      const bytes = await manifests.read(repository, info.digest);
      if (bytes?.includes(digest) !== true) continue;
      const found = parseManifestDocument(bytes).blobs.find((blob) => blob.digest === digest);
      if (found !== undefined) return found.size;
    }
    return undefined;
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    return work.finally(() => this.#running.delete(work));
  }
}

interface Asking {
  readonly upstream: UpstreamRepository;
  readonly reference: Reference;
  readonly held: ContentDigest | undefined;
  readonly storage: RegistryStorage;
}

function fullReference(name: FullReference, reference: Reference): FullReference {
  if (reference.kind === 'tag') return { ...name, tag: reference.tag };
  const { digest } = reference;
  if (!isDigest(digest)) throw new EngineError('notFound', `no upstream knows ${digest}`);
  return { ...name, digest };
}
