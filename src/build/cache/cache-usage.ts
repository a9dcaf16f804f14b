import type { Images } from '../../image/index.ts';
import type { ImageId } from '../../oci/index.ts';
import type { CacheUsage } from '../builder.ts';
import type { CacheRecord } from './build-cache.ts';

/**
 * What each record keeps on the disk: the layer its step made. One whose image or layer something else wants is
 * `shared`, and its bytes count there; so the private sizes and the images' add up to all layers.
 */
export function cacheUsage(
  records: readonly CacheRecord[],
  images: Images,
  live: ReadonlySet<ImageId>,
): CacheUsage[] {
  const { cacheLayers, cacheOnly, sizes } = images.space();
  const byImage = new Map(records.map((record) => [record.image, record]));
  const counted = new Set<string>();
  return records.flatMap((record): CacheUsage[] => {
    const image = images.find(record.image);
    if (image === undefined) return [];
    const parent = image.parent === undefined ? undefined : images.find(image.parent);
    const layer = image.chainId === parent?.chainId ? undefined : image.chainId;
    const isElsewhere = layer !== undefined && (counted.has(layer) || !cacheLayers.has(layer));
    if (layer !== undefined) counted.add(layer);
    const parentRecord = image.parent === undefined ? undefined : byImage.get(image.parent);
    return [
      {
        id: idOf(record),
        parents: parentRecord === undefined ? [] : [idOf(parentRecord)],
        description: record.description,
        image: record.image,
        inUse: live.has(record.image),
        shared: !cacheOnly.has(record.image) || isElsewhere,
        size: layer === undefined ? 0 : (sizes.get(layer) ?? 0),
        createdAtMs: record.createdAtMs,
        lastUsedAtMs: record.lastUsedAtMs,
        useCount: record.useCount,
      },
    ];
  });
}

/** The id of a record as clients see it: the hex digits of its key. */
function idOf({ key }: Pick<CacheRecord, 'key'>): string {
  return key.slice(key.indexOf(':') + 1);
}
