import type { Filters } from '../../api/index.ts';
import type { Images } from '../../image/index.ts';
import { booleanFilter, parseUntil, passesAny } from '../../lib/object-filters.ts';
import type { ImageId } from '../../oci/index.ts';
import type { CacheUsage, PruneCacheOptions } from '../builder.ts';
import type { BuildCache } from './build-cache.ts';
import { cacheUsage, idOf } from './cache-usage.ts';

/** Records to forget, with what else is needed to do it. */
export interface ChosenRecords {
  /** Records whose image is still there. */
  readonly records: readonly CacheUsage[];
  /** Ids of records whose image is gone. */
  readonly gone: readonly string[];
}

/**
 * Which records a prune takes: those whose image is gone or that only the cache keeps, with `all` also those that an
 * image shares (which frees nothing). What a running build uses stays. With `keepBytes` the least recently used go,
 * until no more than that is left.
 */
export function chooseRecords(
  cache: BuildCache,
  { images, live }: { readonly images: Images; readonly live: ReadonlySet<ImageId> },
  { all, filters, keepBytes }: PruneCacheOptions,
): ChosenRecords {
  const stored = cache.list();
  const usage = cacheUsage(stored, images, live);
  const there = new Set(usage.map(({ id }) => id));
  const passes = filterOf(filters);
  const gone = stored
    .filter((record) => !there.has(idOf(record)))
    .map((record) => ({ ...record, id: idOf(record), parents: [], inUse: false, shared: false, size: 0 }))
    .filter(passes);
  const candidates = usage
    .filter((record) => !record.inUse && (all || !record.shared) && passes(record))
    .sort((a, b) => a.lastUsedAtMs - b.lastUsedAtMs);
  return { records: withinBudget(candidates, usage, keepBytes), gone: gone.map(({ id }) => id) };
}

/** Forgets records and removes the images that only the cache kept. */
export async function forgetRecords(
  cache: BuildCache,
  images: Images,
  { records, gone }: ChosenRecords,
): Promise<{ readonly CachesDeleted: readonly string[]; readonly SpaceReclaimed: number }> {
  const ids = [...records.map(({ id }) => id), ...gone];
  const { cacheOnly } = images.space();
  const orphans = records.map(({ image }) => image).filter((image) => cacheOnly.has(image));
  const { bytes } = await images.removeUnused(orphans);
  cache.prune(ids, bytes);
  return { CachesDeleted: ids, SpaceReclaimed: bytes };
}

function withinBudget(
  candidates: readonly CacheUsage[],
  all: readonly CacheUsage[],
  keepBytes: number,
): readonly CacheUsage[] {
  if (keepBytes <= 0) return candidates;
  let left = all.reduce((sum, { shared, size }) => sum + (shared ? 0 : size), 0);
  return candidates.filter(({ shared, size }) => {
    if (left <= keepBytes) return false;
    left -= shared ? 0 : size;
    return true;
  });
}

type Filtered = Pick<
  CacheUsage,
  'id' | 'parents' | 'description' | 'inUse' | 'shared' | 'createdAtMs' | 'lastUsedAtMs'
>;

function filterOf(filters: Filters): (record: Filtered) => boolean {
  const [inUse, shared, isPrivate] = ['inuse', 'shared', 'private'].map((key) => booleanFilter(filters, key));
  const before = ['until', 'unused-for'].flatMap((key) =>
    (filters.get(key) ?? []).map((text) => parseUntil(text, Date.now(), key)),
  );
  const any = (key: string, holds: (value: string) => boolean) => passesAny(filters, key, holds);
  const names = (id: string, text: string) => id.startsWith(text.replace(/^sha256:/, ''));
  return (record) =>
    any('id', (text) => names(record.id, text)) &&
    any('parent', (text) => record.parents.some((parent) => names(parent, text))) &&
    any('type', (text) => text === 'regular') &&
    any('description', (text) => record.description.includes(text)) &&
    !filters.has('label') &&
    (inUse === undefined || inUse === record.inUse) &&
    (shared === undefined || shared === record.shared) &&
    (isPrivate === undefined || isPrivate !== record.shared) &&
    before.every((timeMs) => record.lastUsedAtMs < timeMs);
}
