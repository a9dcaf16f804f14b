import type { Readable } from 'node:stream';
import type {
  Filters,
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImageLayersReport,
  ImageSummary,
  ProgressMessage,
  StoreProblem,
} from '../api/index.ts';
import type { JournalEntry, Lease } from '../metadata/index.ts';
import type { ChainId, Digest, ImageConfig, ImageId, Platform, Reference } from '../oci/index.ts';

/** An image as the engine works with it. */
export interface Image {
  readonly id: ImageId;
  readonly config: ImageConfig;
  /** Digest of the manifest kept for it. */
  readonly manifest: Digest;
  /** Snapshot of its top layer; `undefined` for an image without layers. */
  readonly chainId?: ChainId;
  /** The image it was made from by a build step or commit. */
  readonly parent?: ImageId;
}

/** A layer's blob in the content store, compressed or not. */
export interface ImageLayer {
  readonly digest: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  readonly mediaType: string;
}

export interface NewImage {
  readonly config: ImageConfig;
  /** One for each diffID, base first. */
  readonly layers: readonly ImageLayer[];
  readonly parent?: ImageId;
}

/** An image as a registry has it, byte for byte. */
export interface RemoteImage {
  readonly configBytes: Uint8Array;
  readonly manifestBytes: Uint8Array;
  /** One for each diffID, base first. */
  readonly layers: readonly ImageLayer[];
}

/** Names an image gets, and what the journal says of it. */
export interface Naming {
  readonly names: readonly Reference[];
  readonly event: JournalEntry;
}

export interface CommitRequest {
  readonly containerId: string;
  /** Active snapshot to pack. */
  readonly snapshotKey: string;
  readonly base: ImageId | undefined;
  readonly config: ImageConfig['config'];
  readonly author?: string;
  readonly comment?: string;
  /** Familiar reference to tag. */
  readonly reference?: string;
}

/** Who uses an image: containers, told by the container store (registered by the engine). */
export interface ImageUser {
  readonly containerId: string;
  readonly imageId: ImageId;
  readonly running: boolean;
  /** The image's top layer where a container has it mounted, and no snapshot stands on it. */
  readonly mounted?: ChainId;
}

export interface ImageTree extends AsyncDisposable {
  readonly id: ImageId;
  readonly root: string | undefined;
}

export interface PlanImagePrune {
  /** All that no container uses, not only dangling ones. */
  readonly all: boolean;
  readonly filters: Filters;
  readonly goneContainers: ReadonlySet<string>;
  readonly goneImages: ReadonlySet<ImageId>;
}

/** An image that nothing needs. */
export interface PrunableImage {
  readonly id: ImageId;
  readonly names: readonly string[];
  readonly reason: string;
}

export interface SaveOptions {
  /** Images whose layers are left out: only who has them can load the archive. */
  readonly since?: readonly string[];
  /** One of them must be the image's own. */
  readonly platforms?: readonly Platform[];
  readonly signal?: AbortSignal;
}

/** What a check is at, or what it found. */
export type CheckStep = StoreProblem | { readonly checking: string };

/** Bytes of layer trees. */
export interface ImageSpace {
  /** Of all layers of images, each once; layers of the build cache alone are not among them. */
  readonly layersSize: number;
  /** For each image the bytes of its layers that another listed image has too. */
  readonly sharedSizes: ReadonlyMap<ImageId, number>;
  /** Images that only the build cache wants. */
  readonly cacheOnly: ReadonlySet<ImageId>;
  /** The layers that only they have. */
  readonly cacheLayers: ReadonlyMap<ChainId, number>;
  /** All layers there are. */
  readonly sizes: ReadonlyMap<ChainId, number>;
}

/** An image that cannot be used, since a layer of it is lost. */
export interface DamagedImage {
  readonly id: ImageId;
  readonly reason: string;
}

/** Disposing it brings the content store's `index.json` up to date. */
export interface Images extends AsyncDisposable {
  /** By id, reference or id prefix. `notFound` "No such image: repo:tag"; `invalidArgument` for a bad reference. */
  resolve(nameOrId: string): Image;
  /**
   * Adds an image whose layers are applied and stored, held by a lease of the caller; known config bytes return the
   * image there is. `internal` if a layer's blob or snapshot is missing.
   */
  add(image: NewImage): Promise<Image>;
  /** By its whole id; `undefined` when it is not there. */
  find(id: ImageId): Image | undefined;
  /** Adds an image whose layers are applied and stored, held by the lease, under its names: all in one transaction. */
  adopt(image: RemoteImage, naming: Naming, lease: Lease): Promise<Image>;
  /** Gives an image more names, if it is still there; the event is recorded in any case. */
  rename(id: ImageId, naming: Naming): void;
  /** The image of exactly this name, a tag or a digest. */
  named(name: Reference): Image | undefined;
  /** Tags of a repository with their images. */
  tagsOf(repository: Reference): readonly { readonly reference: Reference; readonly id: ImageId }[];
  /** Repositories that were pulled from or pushed to with an image that has this layer blob. */
  repositoriesWith(layer: Digest): readonly Reference[];
  /** Layer blobs of an image, base first. */
  layersOf(id: ImageId): readonly ImageLayer[];
  list(options: {
    readonly all: boolean;
    readonly filters: Filters;
    readonly sharedSize: boolean;
  }): ImageSummary[];
  /** With platforms, one of them must be the image's own: else it is `notFound`. So it is with `history` and `remove`. */
  inspect(nameOrId: string, platforms?: readonly Platform[]): ImageInspect;
  history(nameOrId: string, platforms?: readonly Platform[]): ImageHistoryItem[];
  /** What each layer adds, changes and removes; with `changes` path by path. Compares files, so it takes its time. */
  layers(
    nameOrId: string,
    options: { readonly changes: boolean; readonly signal?: AbortSignal },
  ): Promise<ImageLayersReport>;
  /** An image's merged files, read-only, until disposed. `root` is `undefined` for an image without layers. */
  openTree(nameOrId: string, signal?: AbortSignal): Promise<ImageTree>;
  /** Points `repository:tag` at an image, moving it if it is there. */
  tag(nameOrId: string, reference: string): void;
  remove(
    nameOrId: string,
    options: { readonly force: boolean; readonly noPrune: boolean; readonly platforms?: readonly Platform[] },
  ): Promise<ImageDeleteItem[]>;
  prune(
    filters: Filters,
  ): Promise<{ readonly ImagesDeleted: readonly ImageDeleteItem[]; readonly SpaceReclaimed: number }>;
  /** What `prune` would take once the given containers and images are gone, children before their parents. */
  prunable(options: PlanImagePrune): PrunableImage[];
  /** Bytes that each of these images frees if all of them and the containers go; shared ones count for the first. */
  reclaimable(ids: readonly ImageId[], goneContainers: ReadonlySet<string>): Promise<readonly number[]>;
  /** Removes an image that is as it was planned, else says why it is left. `collectGarbage` then frees the bytes. */
  removeAsPlanned(image: Pick<PrunableImage, 'id' | 'names'>): string | undefined;
  /** Packs a container's changes as a new image. */
  commit(request: CommitRequest, signal?: AbortSignal): Promise<Image>;
  /** `docker import`: one layer from a root file system tar (plain or compressed). */
  importRootfs(
    tar: Readable,
    options: {
      readonly reference?: string;
      readonly message?: string;
      readonly changes: readonly string[];
      readonly platform?: Platform;
    },
    signal?: AbortSignal,
  ): Promise<Image>;
  /**
   * `docker load`: a docker archive or an OCI layout tar, maybe compressed. Nothing is changed by a damaged one, nor by
   * one of `save` with `since` whose other blobs are not here (`notFound`).
   */
  load(
    archive: Readable,
    onProgress: (message: ProgressMessage) => void,
    options?: { readonly platforms?: readonly Platform[]; readonly signal?: AbortSignal },
  ): Promise<void>;
  /** `docker save`: one tar that is both an OCI layout and a docker archive. */
  save(names: readonly string[], options?: SaveOptions): Promise<Readable>;
  /** Which image holds how many bytes; answered from rows, no file is looked at. */
  space(): ImageSpace;
  /**
   * Removes images without names that nothing needs, children before their parents; what is used, named or gone is
   * left without a word. Returns the ids removed, and the bytes freed.
   */
  removeUnused(
    ids: readonly ImageId[],
  ): Promise<{ readonly removed: readonly ImageId[]; readonly bytes: number }>;
  /** Makes images whole whose layer trees a power loss took; once, at the start. Returns those that it could not. */
  repair(): Promise<readonly DamagedImage[]>;
  /** Verifies every row, blob and layer tree; with `repair` mends what can be. Other work may go on beside it. */
  check(options: { readonly repair: boolean; readonly signal: AbortSignal }): AsyncIterable<CheckStep>;
  /** Removes blobs and snapshots that no image, container or lease needs; returns the bytes freed. */
  collectGarbage(): Promise<number>;
}
