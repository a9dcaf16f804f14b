import type { ContentStore } from '../content/index.ts';
import type { Metadata } from '../metadata/index.ts';
import type { ImageId } from '../oci/index.ts';
import type { Layers, Snapshotter } from '../snapshot/index.ts';
import type { ImageRows } from './image-rows.ts';
import type { ImageUser } from './images.ts';

/** What images are made from and used by. */
export interface ImageDependencies {
  readonly metadata: Metadata;
  readonly content: ContentStore;
  readonly snapshots: Snapshotter;
  readonly layers: Layers;
  /** The containers there are, each with its image. */
  readonly users: () => Iterable<ImageUser>;
  /** Images that build steps gave and no build as its result: the build cache's own. Default: none. */
  readonly cached?: () => ReadonlySet<ImageId>;
  /** Images that running builds stand on: as a running container's, nothing removes them. Default: none. */
  readonly building?: () => ReadonlySet<ImageId>;
}

/** What the operations on images share. */
export interface ImageParts extends ImageDependencies {
  readonly cached: () => ReadonlySet<ImageId>;
  readonly building: () => ReadonlySet<ImageId>;
  readonly rows: ImageRows;
  /** Starts (or joins) a garbage collection that sees the present state; returns the bytes freed. */
  readonly collect: () => Promise<number>;
}
