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

export interface ContentIngester {
  ingest(signal?: AbortSignal): Promise<BlobWriter>;
  /** Stores small bytes whole; the lease as for `commit`. */
  put(bytes: Uint8Array | string, lease?: Lease): Promise<BlobInfo>;
}

export interface ContentManager {
  /**
   * Deletes a blob and says whether it was there. `keep` is asked while nobody can commit this blob;
   * true leaves it.
   */
  delete(digest: Digest, keep?: () => boolean): Promise<boolean>;
  /**
   * Replaces the store's list of what its blobs are, for other tools to read. It is a view that can always be made
   * again: whole or old after a crash of the process, maybe lost with the machine's power.
   */
  describe(index: Index): Promise<void>;
}

/** Immutable blobs named by their digest. */
export interface ContentStore extends ContentReader, ContentIngester, ContentManager {}
