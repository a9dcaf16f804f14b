/** Gantry's own objects, of the routes under `/gantry/prune`. */

export const pruneKinds = ['container', 'network', 'volume', 'build-cache', 'image'] as const;

export type PruneKind = (typeof pruneKinds)[number];

/** One object that a plan would remove. */
export interface PruneItem {
  readonly Kind: PruneKind;
  readonly ID: string;
  /** As people know it: tags of an image, the step of a cache record. */
  readonly Names: readonly string[];
  /** What removing it frees, once all of the plan is gone; bytes that several share count for the first. */
  readonly Bytes: number;
  /** Why it is not needed. */
  readonly Reason: string;
  /** The state it is in; in another one it is no longer what was planned. */
  readonly Mark: string;
}

/** `POST /gantry/prune/plan`: exactly what would go. */
export interface PrunePlan {
  readonly ID: string;
  readonly CreatedAt: string;
  /** Place in the journal: what happened to an object after it, is use since the plan. */
  readonly Cursor: number;
  /** In the order they are removed in. */
  readonly Items: readonly PruneItem[];
  readonly TotalBytes: number;
}

/** `POST /gantry/prune/apply` */
export interface PruneOutcome {
  readonly PlanID: string;
  readonly Removed: readonly PruneItem[];
  readonly Left: readonly { readonly Item: PruneItem; readonly Why: string }[];
  readonly SpaceReclaimed: number;
}
