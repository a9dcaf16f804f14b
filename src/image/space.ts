import type { ChainId, ImageId, Reference } from '../oci/index.ts';
import type { ImageParts } from './image-parts.ts';
import type { ImageRow } from './image-rows.ts';
import type { ImageSpace } from './images.ts';

/**
 * Which image holds which bytes, from rows alone. Each layer counts once: for the images if one that is wanted has it,
 * else for the build cache. The shared size of an image is what another one that is listed has too; so the unique
 * sizes and each shared layer once add up to the whole.
 */
export function imageSpace(parts: ImageParts): ImageSpace {
  const images = parts.rows.all();
  const references = parts.rows.allReferences();
  const wanted = wantedImages(parts, images, references);
  const parents = new Set(images.flatMap(({ parent }) => parent ?? []));
  const sizes = new Map(parts.snapshots.list().committed.map(({ name, usage }) => [name, usage.bytes]));
  const sizeOf = (chainId: ChainId) => sizes.get(chainId) ?? 0;

  const uses = new Map<ChainId, number>();
  const imageLayers = new Set<ChainId>();
  for (const { id, chainIds } of images) {
    if (!wanted.has(id)) continue;
    const listed = references.has(id) || !parents.has(id);
    for (const chainId of chainIds) {
      imageLayers.add(chainId);
      if (listed) uses.set(chainId, (uses.get(chainId) ?? 0) + 1);
    }
  }
  const cacheLayers = new Map<ChainId, number>();
  const cacheOnly = new Set<ImageId>();
  const sharedSizes = new Map<ImageId, number>();
  for (const { id, chainIds } of images) {
    const shared = chainIds.filter((chainId) => (uses.get(chainId) ?? 0) > 1);
    sharedSizes.set(id, sum(shared.map(sizeOf)));
    if (wanted.has(id)) continue;
    cacheOnly.add(id);
    for (const chainId of chainIds) {
      if (!imageLayers.has(chainId)) cacheLayers.set(chainId, sizeOf(chainId));
    }
  }
  return { layersSize: sum([...imageLayers].map(sizeOf)), sharedSizes, cacheLayers, cacheOnly, sizes };
}

/** Whether `docker images` leaves it out: others were made from it, or only the build cache wants it. */
export function isIntermediate(
  image: ImageRow,
  known: {
    readonly parents: ReadonlySet<ImageId>;
    readonly cached: ReadonlySet<ImageId>;
    readonly references: readonly Reference[];
  },
): boolean {
  return known.references.length === 0 && (known.parents.has(image.id) || known.cached.has(image.id));
}

/** All but those that build steps gave and that nothing with a name, no container and no build's result stands on. */
function wantedImages(
  parts: ImageParts,
  images: readonly ImageRow[],
  references: ReadonlyMap<ImageId, readonly Reference[]>,
): Set<ImageId> {
  const cached = parts.cached();
  const used = new Set([...parts.users()].map(({ imageId }) => imageId));
  const byId = new Map(images.map((image) => [image.id, image]));
  const wanted = new Set<ImageId>();
  for (const { id } of images) {
    if (cached.has(id) && !references.has(id) && !used.has(id)) continue;
    for (let one = byId.get(id); one !== undefined && !wanted.has(one.id); ) {
      wanted.add(one.id);
      one = one.parent === undefined ? undefined : byId.get(one.parent);
    }
  }
  return wanted;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
