import type { Readable, Writable } from 'node:stream';
import type { Lease } from '../metadata/index.ts';
import type { Digest, Index } from '../oci/index.ts';

export interface BlobInfo {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface BlobRange {
  /** First byte, default 0. */
  readonly start?: number;
  /** Last byte, inclusive, default the blob's last. */
  readonly end?: number;
}

export interface ContentReader {
  /** `undefined` when the blob is absent. */
  info(digest: Digest): Promise<BlobInfo | undefined>;
  /** Streams a blob. Rejects with `notFound`. */
  open(digest: Digest, range?: BlobRange): Promise<Readable>;
  /** A whole small blob (manifest, config). Rejects with `notFound`, or `invalidArgument` over `maxBytes` (default 4 MiB). */
  read(digest: Digest, options?: { readonly maxBytes?: number }): Promise<Buffer>;
  list(): AsyncIterable<BlobInfo>;
}

/** What the bytes must turn out to be; a difference rejects the commit with `invalidArgument` and leaves nothing. */
export interface Expected {
  readonly digest?: Digest;
  readonly size?: number;
}

/** A blob being written: invisible to readers until `commit`, dropped by dispose if never committed. */
export interface BlobWriter extends AsyncDisposable {
  readonly writable: Writable;
  /**
   * Ends the writable, then: verify, sync, rename, sync the directory. Committing a blob that is there already
   * succeeds. With a lease, the blob is held by it before it can be seen, so that no collection comes between.
   */
  commit(expected?: Expected, lease?: Lease): Promise<BlobInfo>;
}

/**
 * A blob that arrives over a line that may break: what has come stays on the disk, over dispose and restart, until
 * it is committed, reset, or collected because no lease holds its digest. One is open at a time for each digest.
 */
export interface PartialBlob extends AsyncDisposable {
  /** Bytes that are there: where its source has to go on. */
  readonly size: number;
  /** Adds what comes. Keeps what has come when the source breaks. `invalidArgument` once it is longer than the blob. */
  append(source: AsyncIterable<unknown>): Promise<void>;
  /** The blob from its first byte on, waiting for those still to come. Not verified. Breaks at dispose and reset. */
  follow(): Readable;
  /** Verifies and publishes, as a writer's `commit`. Wrong bytes are dropped and reject with `invalidArgument`. */
  commit(lease?: Lease): Promise<BlobInfo>;
  /** Drops what has come. */
  reset(): Promise<void>;
}

export interface ContentIngester {
  ingest(signal?: AbortSignal): Promise<BlobWriter>;
  /** Opens what an earlier try has left of a blob, or nothing yet; waits while it is open elsewhere. */
  resume(blob: BlobInfo, signal?: AbortSignal): Promise<PartialBlob>;
  /** Stores small bytes whole; the lease as for `commit`. */
  put(bytes: Uint8Array | string, lease?: Lease): Promise<BlobInfo>;
}

export interface ContentManager {
  /**
   * Deletes a blob and says whether it was there. `keep` is asked while nobody can commit this blob;
   * true leaves it.
   */
  delete(digest: Digest, keep?: () => boolean): Promise<boolean>;
  /** Blobs that have come in part and are not open. */
  partials(): AsyncIterable<BlobInfo>;
  /** Drops what has come of a blob, unless it is open now; says whether it was there. */
  dropPartial(digest: Digest): Promise<boolean>;
  /**
   * Replaces the store's list of what its blobs are, for other tools to read. It is a view that can always be made
   * again: whole or old after a crash of the process, maybe lost with the machine's power.
   */
  describe(index: Index): Promise<void>;
  /** The text of that list; `undefined` when it is not there. */
  described(): Promise<string | undefined>;
  /** Files beside the blobs that are none, by their path in the store; with `remove` they go. */
  strays(options: { readonly remove: boolean }): Promise<string[]>;
}

/** Immutable blobs named by their digest. */
export interface ContentStore extends ContentReader, ContentIngester, ContentManager {}
