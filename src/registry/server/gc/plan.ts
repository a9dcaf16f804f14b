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
  readonly manifests: readonly ContentInfo[];
  readonly blobs: readonly ContentInfo[];
}

/**
 * Decides what a repository no longer needs: tags that retention lets go; manifests that only those tags, or (by
 * policy) no tags hold; blobs that no remaining manifest names. What an index, or a subject that stays, needs stays.
 * For manifests and blobs the time guard is not considered here: it is checked as each piece is removed.
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
  const kept = reachable(state, roots);
  const manifests = [...state.manifests.values()].filter(({ digest }) => !kept.has(digest));
  const needed = new Set<ContentDigest>();
  for (const digest of kept) {
    const document = state.manifests.get(digest)?.document;
    if (document === undefined) continue;
    for (const link of [...document.blobs, ...document.foreign, ...document.children])
      needed.add(link.digest);
  }
  const allKnown = [...state.manifests.values()].every(({ document }) => document !== undefined);
  const blobs = allKnown ? state.blobs.filter(({ digest }) => !needed.has(digest)) : [];
  return { tags, manifests, blobs };
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
  return candidates;
}

/** The manifests that `roots` hold: themselves, those an index lists, and those whose subject is held. */
function reachable(state: RepositoryState, roots: Iterable<ContentDigest>): Set<ContentDigest> {
  const referrers = new Map<ContentDigest, ContentDigest[]>();
  for (const { digest, document } of state.manifests.values()) {
    if (document?.subject === undefined) continue;
    referrers.set(document.subject, [...(referrers.get(document.subject) ?? []), digest]);
  }
  const found = new Set<ContentDigest>();
  const open = [...roots];
  for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
    const manifest = state.manifests.get(digest);
    if (manifest === undefined || found.has(digest)) continue;
    found.add(digest);
    open.push(...(manifest.document?.children ?? []).map((child) => child.digest));
    open.push(...(referrers.get(digest) ?? []));
  }
  return found;
}
