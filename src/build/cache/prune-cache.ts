import type { Filters } from '../../api/index.ts';
import { isCode } from '../../errors/index.ts';
import type { Images } from '../../image/index.ts';
import { parseUntil } from '../../lib/object-filters.ts';
import type { ImageId } from '../../oci/index.ts';
import type { BuildCache, CacheRecord } from './build-cache.ts';

/**
 * Forgets records: those whose image is gone, with `all` every one. The filters `id` and `until` (unix seconds, or a
 * time as Date reads it, last use before it) narrow it down. Images stay: `image prune` removes dangling ones.
 */
export async function pruneCache(
  cache: BuildCache,
  images: Images,
  options: { readonly all: boolean; readonly filters: Filters },
): Promise<{ readonly CachesDeleted: readonly string[]; readonly SpaceReclaimed: number }> {
  const { all, filters } = options;
  const ids = filters.get('id') ?? [];
  const until = (filters.get('until') ?? filters.get('unused-for') ?? []).map((text) => parseUntil(text));
  const keys = cache
    .list()
    .filter((record) => all || !isThere(images, record.image))
    .filter(
      ({ key }) => ids.length === 0 || ids.some((id) => key.startsWith(id) || key.startsWith(`sha256:${id}`)),
    )
    .filter((record) => until.every((timeMs) => isBefore(record, timeMs)))
    .map(({ key }) => key);
  cache.remove(keys);
  return { CachesDeleted: keys, SpaceReclaimed: await images.collectGarbage() };
}

function isBefore({ lastUsedAtMs }: CacheRecord, timeMs: number): boolean {
  return lastUsedAtMs < timeMs;
}

function isThere(images: Images, id: ImageId): boolean {
  try {
    images.resolve(id);
    return true;
  } catch (error) {
    if (isCode(error, 'notFound')) return false;
    throw error;
  }
}
