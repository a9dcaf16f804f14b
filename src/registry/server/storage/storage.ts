import type { Readable } from 'node:stream';
import type { Algorithm, ContentDigest } from '../content-digest.ts';

/**
 * Where a registry keeps its content: five roles, of which a caller takes what it needs.
 *
 * Promises of every implementation:
 * - Several processes may use one storage at once; nothing but the storage itself is true.
 * - What a method has resolved for survives a crash (uploads: a crash of the process only).
 * - Readers see a blob, manifest or tag whole or not at all.
 * - Content belongs to a repository; the same bytes in several repositories are stored once.
 * - *Time guard*: storing, mounting or using (`use`) content marks it as used now. `delete` with `unusedSinceMs` removes
 *   it only if it was not used since, atomically against those marks. So a collector that works from an old view never
 *   takes what somebody began to rely on meanwhile.
 *
 * Names of repositories and tags are checked by the caller against the grammar of the distribution API.
 * Full disks reject with `outOfSpace`, and leave nothing half made.
 */
export interface RegistryStorage extends AsyncDisposable {
  readonly blobs: BlobStorage;
  readonly uploads: UploadStorage;
  readonly manifests: ManifestStorage;
  readonly tags: TagStorage;
  readonly upkeep: UpkeepStorage;
}

export interface ContentInfo {
  readonly digest: ContentDigest;
  readonly size: number;
  readonly usedMs: number;
}

/** Bytes `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface Quota {
  /** The most bytes the repository may hold in blobs and manifests; absent is no limit. */
  readonly repositoryBytes?: number;
}

export interface DeleteCondition {
  /** Delete only what was not used after this time. */
  readonly unusedSinceMs?: number;
}

/** Blobs (configs, layers, any artifact) by repository and digest. */
export interface BlobStorage {
  info(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined>;
  /** As `info`, for somebody who will rely on the blob: restarts its time guard. */
  use(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined>;
  /** Rejects with `notFound`. The caller consumes or destroys the stream, which goes on if the blob is deleted. */
  open(repository: string, digest: ContentDigest, range?: ByteRange): Promise<Readable>;
  /** Makes a blob of `from` one of `to` without copying it. False where `from` lacks it. `forbidden` over the quota. */
  mount(digest: ContentDigest, from: string, to: string, quota?: Quota): Promise<boolean>;
  delete(repository: string, digest: ContentDigest, condition?: DeleteCondition): Promise<boolean>;
  list(repository: string): AsyncIterable<ContentInfo>;
}

export interface UploadStatus {
  readonly id: string;
  readonly repository: string;
  readonly algorithm: Algorithm;
  /** Bytes received. */
  readonly size: number;
}

/** Blobs on their way in. Any process can go on with an upload that another began. */
export interface UploadStorage {
  start(repository: string, algorithm?: Algorithm): Promise<UploadStatus>;
  status(repository: string, id: string): Promise<UploadStatus | undefined>;
  /** Takes the upload for writing; undefined if there is none. `conflict` while another writer, anywhere, has it. */
  resume(repository: string, id: string, signal?: AbortSignal): Promise<UploadWriter | undefined>;
  cancel(repository: string, id: string): Promise<boolean>;
  /** Drops uploads that nobody wrote to since; returns the ids. With `dryRun` it only tells which. */
  reap(idleSinceMs: number, options?: { readonly dryRun?: boolean }): Promise<readonly string[]>;
}

/** One writer of one upload. Dispose gives the upload back, with what it holds, for a later `resume`. */
export interface UploadWriter extends AsyncDisposable {
  readonly id: string;
  /** Bytes received so far, also while `append` runs. */
  readonly size: number;
  /** Appends all of `source`. What arrived before a failure stays. */
  append(source: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void>;
  /** Up to `length` of the bytes received so far, for readers of a blob that still arrives; works until the dispose. */
  readAt(start: number, length: number): Promise<Buffer>;
  /**
   * Checks the digest and makes the upload a blob of its repository; the upload is gone. Rejects with
   * `invalidArgument` when the bytes are others, with `forbidden` over the quota; the upload is then dropped.
   */
  commit(digest: ContentDigest, quota?: Quota): Promise<ContentInfo>;
  /** Drops the upload. */
  cancel(): Promise<void>;
}

/** Manifests and indexes by repository and digest: their exact bytes. */
export interface ManifestStorage {
  /** Stores bytes the caller has hashed and checked, and lists them under `subject`. `forbidden` over the quota. */
  put(repository: string, manifest: NewManifest, quota?: Quota): Promise<void>;
  read(repository: string, digest: ContentDigest): Promise<Buffer | undefined>;
  info(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined>;
  /** As `info`, for somebody who will rely on the manifest: restarts its time guard. */
  use(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined>;
  /** Removes it with its place under its subject. Tags are the caller's to remove first. */
  delete(repository: string, digest: ContentDigest, condition?: DeleteCondition): Promise<boolean>;
  list(repository: string): AsyncIterable<ContentInfo>;
  /** Digests of the manifests whose subject this is, in order. */
  referrers(repository: string, subject: ContentDigest): Promise<readonly ContentDigest[]>;
}

export interface NewManifest {
  readonly digest: ContentDigest;
  readonly bytes: Buffer;
  readonly subject?: ContentDigest;
}

export interface Tag {
  readonly name: string;
  readonly digest: ContentDigest;
  /** When it was set last, or confirmed. */
  readonly setMs: number;
}

export interface TagStorage {
  get(repository: string, name: string): Promise<Tag | undefined>;
  set(repository: string, name: string, digest: ContentDigest): Promise<void>;
  /** With `unusedSinceMs`: only if it was not set after that. */
  delete(repository: string, name: string, condition?: DeleteCondition): Promise<boolean>;
  /** All names in ASCII order; undefined where nothing was ever pushed. */
  names(repository: string): Promise<readonly string[] | undefined>;
}

/** What only the upkeep of the whole storage needs. */
export interface UpkeepStorage {
  /** Names of the repositories in order. */
  repositories(): AsyncIterable<string>;
  /** One collector at a time, over all processes: undefined while another runs. */
  beginCollection(): Promise<AsyncDisposable | undefined>;
  /** Frees content that no repository has and nobody stored or mounted since; returns what (or, dry, would be) freed. */
  sweep(
    unusedSinceMs: number,
    options?: { readonly dryRun?: boolean },
  ): Promise<{ readonly blobs: number; readonly bytes: number }>;
  /** Rejects unless the storage can be written to now. */
  check(): Promise<void>;
}
