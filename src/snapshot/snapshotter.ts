import type { Readable } from 'node:stream';
import type { FilesystemChange } from '../api/index.ts';
import type { ChainId, DiffId } from '../oci/index.ts';

/** The size of a file tree: bytes of its regular files (each inode once, as Docker counts), and inodes. */
export interface Usage {
  readonly bytes: number;
  readonly inodes: number;
}

export interface CommittedSnapshot {
  readonly name: ChainId;
  readonly parent?: ChainId;
  readonly usage: Usage;
}

/** One path in which a tree differs from another. */
export interface TreeChange {
  readonly kind: 'added' | 'changed' | 'removed';
  /** Absolute in the tree. */
  readonly path: string;
  /** Bytes of the file as it is now; 0 for what is no file. */
  readonly size: number;
  /** Bytes of what stood there before: of a file, or of all in a directory. */
  readonly before: number;
}

/** Two directories of the host; `undefined` is an empty tree. */
export interface Comparison {
  readonly before: string | undefined;
  readonly after: string | undefined;
  /**
   * A layer's own tree in overlay form, that makes `after` of `before`: only what it carries is looked at, and all
   * of that counts as changed, even if nothing but its time did.
   */
  readonly layer?: string;
  readonly signal?: AbortSignal;
}

/** Docker's GraphDriver.Data: absolute host paths. */
export interface SnapshotPaths {
  readonly LowerDir?: string;
  readonly UpperDir: string;
  readonly WorkDir: string;
  readonly MergedDir: string;
}

/**
 * Stacks of read-only file trees with a writable one on top.
 *
 * A *committed* snapshot is an immutable layer on its parents, named by its chainID. An *active* one has a key
 * (a container's or build step's id), a parent, and takes writes. Layer trees are kept in overlayfs' own form.
 */
export interface Snapshotter {
  /**
   * Makes an active snapshot. `conflict` if the key exists, `notFound` if the parent is not committed.
   * With `initLayer`, Docker's init layer (empty /etc/hosts, /dev/console, ...) is laid under it.
   */
  prepare(key: string, parent?: ChainId, options?: { readonly initLayer?: boolean }): Promise<void>;
  /**
   * Mounts an active snapshot and returns its root; again returns the same one. With `volatile` nothing is synced, not
   * by fsync(2) in it either, nor does its unmounting wait for the disk: for what a power loss takes anyway.
   */
  mount(key: string, options?: { readonly volatile?: boolean }): Promise<string>;
  /** Root of a mounted active snapshot, `undefined` when it is not mounted. */
  mountedAt(key: string): string | undefined;
  /** Unmounts; a key that is not mounted succeeds. */
  unmount(key: string): Promise<void>;
  /** Mounts committed layers read-only at a private place, until disposed. */
  view(name: ChainId, signal?: AbortSignal): Promise<AsyncDisposable & { readonly root: string }>;
  /** Keeps the files of an active snapshot until disposed, also if it is removed meanwhile. `notFound` if it is not there. */
  hold(key: string): Disposable;
  /** The mutable tree of an active snapshot in overlay form (`upper`), for packing its changes. */
  paths(key: string): SnapshotPaths;
  /**
   * Turns an active snapshot into the committed one `name`; if that exists, the active one is just dropped.
   * A `usage` known already saves walking the tree.
   */
  commit(key: string, name: ChainId, options?: { readonly usage?: Usage }): Promise<void>;
  /** `undefined` also for one that a power loss may have torn: to apply or commit it again makes it whole. */
  stat(name: ChainId): CommittedSnapshot | undefined;
  usage(key: string): Promise<Usage>;
  /** Removes an active or committed snapshot, unmounting first. Absent: succeeds. `conflict` when it has children. */
  remove(keyOrName: string): Promise<void>;
  /** Paths changed in an active snapshot against its parent, as `docker diff` lists them (sorted). */
  changes(key: string, signal?: AbortSignal): Promise<FilesystemChange[]>;
  /**
   * What differs between two trees, times left out, sorted by path: each path of what was added; a directory that was
   * removed or replaced without what was in it.
   */
  compare(comparison: Comparison): Promise<TreeChange[]>;
  /** What a committed layer changes in those below it. `notFound` if it is not there. */
  layerChanges(name: ChainId, signal?: AbortSignal): Promise<TreeChange[]>;
  /** Names of directories beside the trees that belong to none of them; with `remove` they go. */
  strays(options: { readonly remove: boolean }): string[];
  list(): { readonly active: readonly string[]; readonly committed: readonly CommittedSnapshot[] };
}

export interface AppliedLayer {
  readonly diffId: DiffId;
  readonly chainId: ChainId;
  /** Bytes of the plain tar. */
  readonly size: number;
}

export interface ApplyOptions {
  /** What the plain tar's digest must be. */
  readonly diffId?: DiffId;
  readonly signal?: AbortSignal;
}

/** A layer unpacked before the one it stands on is there. Disposing it drops the tree, unless it was committed. */
export interface StagedLayer extends AsyncDisposable {
  readonly diffId: DiffId;
  /** Makes it the committed snapshot on `parent`, which is committed; `undefined` only if it was staged as a base. */
  commit(parent: ChainId | undefined): Promise<AppliedLayer>;
}

/** Layer tars in and out of snapshots; the OCI form outside, overlay's form inside. */
export interface Layers {
  /**
   * As `apply`, in two steps, so that the layers of one image unpack side by side. `base` says that nothing will be
   * below it.
   */
  stage(tar: Readable, options: ApplyOptions & { readonly base: boolean }): Promise<StagedLayer>;
  /**
   * Unpacks a plain or compressed (gzip, zstd, bzip2, xz; by magic) layer tar onto `parent` as a committed snapshot.
   * With `diffId`, other bytes reject with `invalidArgument` and leave nothing. A layer already there is only verified.
   * Entries that leave the root are refused with `invalidArgument` and the entry's name.
   */
  apply(tar: Readable, parent: ChainId | undefined, options?: ApplyOptions): Promise<AppliedLayer>;
  /**
   * Compares a committed layer's tree with the tar it came from; says what is wrong, path by path. None: it is whole.
   * `notFound` if it is not there.
   */
  verify(
    name: ChainId,
    tar: Readable,
    options: ApplyOptions & { readonly diffId: DiffId },
  ): Promise<string[]>;
  /**
   * Unpacks a committed layer again, in the place of the tree there is. `conflict` while a running container, a
   * build step or a view stands on it; then nothing is changed.
   */
  restore(name: ChainId, tar: Readable, options: ApplyOptions & { readonly diffId: DiffId }): Promise<void>;
  /** The changes of an active snapshot as a deterministic OCI layer tar, whole also if it is removed meanwhile. */
  pack(key: string, signal?: AbortSignal): Readable;
  /** Its whole tree as a plain tar (`docker export`), likewise. */
  packTree(key: string, signal?: AbortSignal): Promise<Readable>;
}
