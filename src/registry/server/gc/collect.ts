import type { GcConfig } from '../config/registry-config.ts';
import type { ContentDigest } from '../content-digest.ts';
import { type ManifestDocument, parseManifestDocument } from '../protocol/manifest-document.ts';
import { RegistryError } from '../protocol/registry-error.ts';
import type { RegistryStorage, Tag } from '../storage/index.ts';
import {
  type CollectionPolicy,
  neededBy,
  planCollection,
  type RepositoryState,
  type StoredManifest,
} from './plan.ts';

/** One thing that was, or dry would be, removed. */
export interface Removal {
  readonly kind: 'upload' | 'tag' | 'manifest' | 'blob';
  readonly repository?: string;
  readonly name: string;
}

export interface CollectionReport {
  readonly uploads: number;
  readonly tags: number;
  readonly manifests: number;
  /** Blobs that a repository let go. */
  readonly blobs: number;
  /** Content that no repository had any more. */
  readonly freedBlobs: number;
  readonly freedBytes: number;
}

export interface CollectOptions {
  readonly config: GcConfig;
  /** Remove nothing, only tell. What only goes once something else has gone is not told. */
  readonly dryRun?: boolean;
  readonly onRemoval?: (removal: Removal) => void;
  readonly signal?: AbortSignal;
}

/**
 * Collects the garbage of a registry that may be in use, by this and other processes: dead uploads, then in each
 * repository what its plan says, then content nobody has. Everything goes by the storage's time guard, so what a
 * client has just pushed, mounted or asked for is left alone. Undefined when a collection runs already.
 */
export async function collectGarbage(
  storage: RegistryStorage,
  options: CollectOptions,
): Promise<CollectionReport | undefined> {
  const { config, dryRun = false, onRemoval = () => undefined, signal } = options;
  await using turn = await storage.upkeep.beginCollection();
  if (turn === undefined) return undefined;
  const nowMs = Date.now();
  const condition = { unusedSinceMs: nowMs - config.graceMs };
  const counts = { upload: 0, tag: 0, manifest: 0, blob: 0 };
  const told = (removal: Removal) => {
    counts[removal.kind] += 1;
    onRemoval(removal);
  };
  for (const id of await storage.uploads.reap(nowMs - config.uploadsMs, { dryRun })) {
    told({ kind: 'upload', name: id });
  }
  const policy: CollectionPolicy = {
    nowMs,
    ...condition,
    retention: config.retention,
    untaggedMs: config.untaggedMs,
  };
  for await (const repository of storage.upkeep.repositories()) {
    signal?.throwIfAborted();
    const state = await readState(storage, repository);
    const plan = planCollection(state, policy);
    for (const { name, setMs } of plan.tags) {
      // Set anew since it was read, it stays.
      const gone = dryRun || (await storage.tags.delete(repository, name, { unusedSinceMs: setMs }));
      if (gone) told({ kind: 'tag', repository, name });
    }
    // What a manifest needs that somebody asked for meanwhile.
    const needed = new Set<ContentDigest>();
    for (const { digest } of plan.manifests) {
      if (needed.has(digest)) continue;
      const gone = dryRun || (await storage.manifests.delete(repository, digest, condition));
      if (gone) told({ kind: 'manifest', repository, name: digest });
      else for (const one of neededBy(state, [digest])) needed.add(one);
    }
    for (const { digest, usedMs } of plan.blobs) {
      if (needed.has(digest)) continue;
      const gone = dryRun
        ? usedMs <= condition.unusedSinceMs
        : await storage.blobs.delete(repository, digest, condition);
      if (gone) told({ kind: 'blob', repository, name: digest });
    }
  }
  const freed = await storage.upkeep.sweep(condition.unusedSinceMs, { dryRun });
  return {
    uploads: counts.upload,
    tags: counts.tag,
    manifests: counts.manifest,
    blobs: counts.blob,
    freedBlobs: freed.blobs,
    freedBytes: freed.bytes,
  };
}

async function readState(storage: RegistryStorage, name: string): Promise<RepositoryState> {
  // Blobs first: one that a manifest read later needs is then known to be needed.
  const blobs = await Array.fromAsync(storage.blobs.list(name));
  const tags: Tag[] = [];
  for (const tagName of (await storage.tags.names(name)) ?? []) {
    const tag = await storage.tags.get(name, tagName);
    if (tag !== undefined) tags.push(tag);
  }
  const manifests = new Map<ContentDigest, StoredManifest>();
  for await (const info of storage.manifests.list(name)) {
    const bytes = await storage.manifests.read(name, info.digest);
    if (bytes !== undefined) manifests.set(info.digest, { ...info, document: documentOf(bytes) });
  }
  return { name, tags, manifests, blobs };
}

function documentOf(bytes: Buffer): ManifestDocument | undefined {
  try {
    return parseManifestDocument(bytes);
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}
