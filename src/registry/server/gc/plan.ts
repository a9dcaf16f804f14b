import type { RetentionRule } from '../config/registry-config.ts';
import type { ContentDigest } from '../content-digest.ts';
import type { ManifestDocument } from '../protocol/manifest-document.ts';
import type { ContentInfo, Tag } from '../storage/index.ts';
import { expiredTags } from './retention.ts';

/** A repository as a collector found it. */
export interface RepositoryState {
  readonly name: string;
  readonly tags: readonly Tag[];
  readonly manifests: ReadonlyMap<ContentDigest, StoredManifest>;
  readonly blobs: readonly ContentInfo[];
}

export interface StoredManifest extends ContentInfo {
  /** Undefined for one that does not parse: it is kept, and so are all blobs, for it may need any of them. */
  readonly document: ManifestDocument | undefined;
}

export interface CollectionPolicy {
  readonly nowMs: number;
  /** The time guard: what was used after this stays. */
  readonly unusedSinceMs: number;
  readonly retention: readonly RetentionRule[];
  /** Untagged manifests unused for so long go; undefined keeps them. */
  readonly untaggedMs: number | undefined;
}

/** What is to be removed, in this order. */
export interface CollectionPlan {
  readonly tags: readonly Tag[];
  /** What holds others before what it holds: one that turns out to stay keeps those (`neededBy`). */
  readonly manifests: readonly ContentInfo[];
  readonly blobs: readonly ContentInfo[];
}

/**
 * Decides what a repository no longer needs: tags that retention lets go; manifests that only those tags, or (by
 * policy) no tags hold; blobs that no remaining manifest names. What an index, or a subject that stays, needs stays,
 * and so does what a manifest needs that the time guard holds. The guard of each piece is checked anew as it is removed.
 */
export function planCollection(state: RepositoryState, policy: CollectionPolicy): CollectionPlan {
  // A tag waits for its manifest: without the tag the manifest would look like one that was pushed without.
  const tags = expiredTags(state, policy.retention, policy.nowMs).filter(({ digest }) => {
    const manifest = state.manifests.get(digest);
    return manifest === undefined || manifest.usedMs <= policy.unusedSinceMs;
  });
  const gone = new Set(tags.map(({ name }) => name));
  const tagged = new Set(state.tags.filter(({ name }) => !gone.has(name)).map(({ digest }) => digest));
  const candidates = candidatesOf(state, { policy, tagged, expired: tags.map(({ digest }) => digest) });
  const roots = [...state.manifests.keys()].filter((digest) => !candidates.has(digest));
  const needed = neededBy(state, roots);
  const leaving = [...state.manifests.keys()].filter((digest) => !needed.has(digest));
  const manifests = holdersFirst(state, leaving);
  const allKnown = [...state.manifests.values()].every(({ document }) => document !== undefined);
  const blobs = allKnown ? state.blobs.filter(({ digest }) => !needed.has(digest)) : [];
  return { tags, manifests, blobs };
}

/** The manifests that `roots` hold, themselves among them, and the blobs all of those name. */
export function neededBy(state: RepositoryState, roots: Iterable<ContentDigest>): Set<ContentDigest> {
  const needed = reachable(state, roots);
  for (const digest of [...needed]) {
    const document = state.manifests.get(digest)?.document;
    if (document === undefined) continue;
    for (const link of [...document.blobs, ...document.foreign, ...document.children])
      needed.add(link.digest);
  }
  return needed;
}

/** Untagged manifests that may go if nothing that stays needs them. */
function candidatesOf(
  state: RepositoryState,
  {
    policy,
    tagged,
    expired,
  }: {
    readonly policy: CollectionPolicy;
    readonly tagged: ReadonlySet<ContentDigest>;
    readonly expired: readonly ContentDigest[];
  },
): ReadonlySet<ContentDigest> {
  const candidates = reachable(state, expired);
  const { untaggedMs, nowMs } = policy;
  if (untaggedMs !== undefined) {
    for (const { digest, usedMs } of state.manifests.values()) {
      if (usedMs <= nowMs - untaggedMs) candidates.add(digest);
    }
  }
  for (const digest of tagged) candidates.delete(digest);
  // One in use is not removed, so its blobs, which nobody marked, have to stay with it.
  for (const { digest, usedMs } of state.manifests.values()) {
    if (usedMs > policy.unusedSinceMs) candidates.delete(digest);
  }
  return candidates;
}

/** The manifests that `roots` hold, themselves among them. */
function reachable(state: RepositoryState, roots: Iterable<ContentDigest>): Set<ContentDigest> {
  const holds = holdings(state);
  const found = new Set<ContentDigest>();
  const open = [...roots];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    if (found.has(digest) || !state.manifests.has(digest)) continue;
    found.add(digest);
    open.push(...holds(digest));
  }
  return found;
}

/** Sorts manifests. Those that hold each other, as an index that refers to what it lists, come last. */
function holdersFirst(state: RepositoryState, digests: readonly ContentDigest[]): ContentInfo[] {
  const holds = holdings(state);
  const holders = new Map(digests.map((digest) => [digest, 0]));
  const count = (digest: ContentDigest, by: number) => {
    const counted = holders.get(digest);
    if (counted !== undefined) holders.set(digest, counted + by);
  };
  for (const held of digests.flatMap(holds)) count(held, 1);
  const sorted = new Set(digests.filter((digest) => holders.get(digest) === 0));
  for (const digest of sorted) {
    for (const held of holds(digest)) {
      count(held, -1);
      if (holders.get(held) === 0) sorted.add(held);
    }
  }
  return [...sorted.union(holders)].flatMap((digest) => state.manifests.get(digest) ?? []);
}

/** What a manifest holds: those an index lists, and those whose subject it is. */
function holdings(state: RepositoryState): (digest: ContentDigest) => readonly ContentDigest[] {
  const referrers = Map.groupBy(state.manifests.values(), ({ document }) => document?.subject);
  return (digest) => {
    const children = state.manifests.get(digest)?.document?.children ?? [];
    return [...children, ...(referrers.get(digest) ?? [])].map((one) => one.digest);
  };
}
