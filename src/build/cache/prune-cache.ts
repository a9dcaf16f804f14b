import type { Filters } from '../../api/index.ts';
import type { Images } from '../../image/index.ts';
import { booleanFilter, parseUntil, passesAny } from '../../lib/object-filters.ts';
import type { ImageId } from '../../oci/index.ts';
import type { CacheUsage, PruneCacheOptions } from '../builder.ts';
import type { BuildCache } from './build-cache.ts';
import { cacheUsage } from './cache-usage.ts';

/**
 * Which records a prune takes: those that only the cache keeps, with `all` also those that an image shares (which frees
 * nothing). What a running build uses stays. With `keepBytes` the least recently used go, until no more than that is
 * left.
 */
export function chooseRecords(
  cache: BuildCache,
  { images, live }: { readonly images: Images; readonly live: ReadonlySet<ImageId> },
  { all, filters, keepBytes }: PruneCacheOptions,
): readonly CacheUsage[] {
  const usage = cacheUsage(cache.list(), images, live);
  const passes = filterOf(filters);
  const candidates = usage
    .filter((record) => !record.inUse && (all || !record.shared) && passes(record))
    .sort((a, b) => a.lastUsedAtMs - b.lastUsedAtMs);
  return withinBudget(candidates, usage, keepBytes);
}

/** Forgets records and removes the images that only the cache kept. */
export async function forgetRecords(
  cache: BuildCache,
  images: Images,
  records: readonly CacheUsage[],
): Promise<{ readonly CachesDeleted: readonly string[]; readonly SpaceReclaimed: number }> {
  const ids = records.map(({ id }) => id);
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

function filterOf(filters: Filters): (record: CacheUsage) => boolean {
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
