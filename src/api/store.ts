/** Gantry's own objects, of the routes under `/gantry/`. */

/** One path in which two trees differ. */
export interface StoreChange {
  readonly Kind: 'added' | 'changed' | 'removed';
  readonly Path: string;
  /** Bytes of the file as it is now; 0 for what is no file. */
  readonly Size: number;
  /** Bytes of what stood there before: of a file, or of all in a directory. */
  readonly Before: number;
}

/** How many paths differ. */
export interface ChangeCounts {
  readonly Added: number;
  readonly Changed: number;
  readonly Removed: number;
}

/** `GET /gantry/images/layers` */
export interface ImageLayersReport {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  /** Bytes of all layers. */
  readonly Size: number;
  /** Bytes that later layers hide: files they replace or remove. */
  readonly WastedBytes: number;
  /** Base first. */
  readonly Layers: readonly ImageLayerReport[];
}

export interface ImageLayerReport extends ChangeCounts {
  readonly DiffId: string;
  readonly Blob: { readonly Digest: string; readonly Size: number; readonly MediaType: string };
  readonly CreatedBy: string;
  readonly Size: number;
  /** Bytes of lower layers that this one hides. */
  readonly WastedBytes: number;
  /** Sorted by path; only when asked for. */
  readonly Changes?: readonly StoreChange[];
}

export interface DiffSide {
  readonly Kind: 'image' | 'container';
  readonly Id: string;
}

/** `GET /gantry/images/diff` */
export interface ImageDiff extends ChangeCounts {
  readonly From: DiffSide;
  readonly To: DiffSide;
  /** Bytes of added and changed files, as they are now. */
  readonly BytesAdded: number;
  /** Bytes of changed and removed files, as they were. */
  readonly BytesRemoved: number;
  readonly Changes: readonly StoreChange[];
}

/** Something in the store that is not as it should be. */
export interface StoreProblem {
  readonly Object: 'blob' | 'layer' | 'row' | 'file' | 'container' | 'volume' | 'database';
  /** Digest, chainID, name or path. */
  readonly ID: string;
  readonly Problem: string;
  readonly Mended: boolean;
  /** What stood in the way of mending it, or what a person can do. */
  readonly Note?: string;
}

/** One line of `POST /gantry/store/check`; the last one is the summary, unless the check was cut short. */
export type StoreCheckMessage =
  | { readonly Progress: { readonly Checked: number; readonly What: string } }
  | { readonly Problem: StoreProblem }
  | {
      readonly Summary: { readonly Checked: number; readonly Mended: number; readonly Remaining: number };
    };
