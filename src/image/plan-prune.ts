import { shortId } from '../lib/ids.ts';
import { type Digest, familiarString, type ImageId } from '../oci/index.ts';
import { passes } from './image-filters.ts';
import type { ImageParts } from './image-parts.ts';
import type { ImageRow } from './image-rows.ts';
import type { PlanImagePrune, PrunableImage } from './images.ts';
import { removeImage } from './remove-image.ts';

/**
 * Which images a prune would take when the given containers and images were gone: dangling ones, with `all` all that
 * no container uses, and the unnamed images they were made from. Children come before their parents.
 */
export function prunableImages(parts: ImageParts, options: PlanImagePrune): PrunableImage[] {
  const { rows } = parts;
  const references = rows.allReferences();
  const cached = parts.cached();
  const used = new Set([
    ...parts.building(),
    ...[...parts.users()].flatMap((user) =>
      options.goneContainers.has(user.containerId) ? [] : [user.imageId],
    ),
  ]);
  const leaving = new Map<ImageId, string>();
  const images = rows.all();
  const namesOf = (id: ImageId) => (references.get(id) ?? []).map(familiarString);
  const isFree = ({ id }: ImageRow) =>
    !used.has(id) &&
    !options.goneImages.has(id) &&
    rows.children(id).every((child) => leaving.has(child) || options.goneImages.has(child));
  const reasonOf = (image: ImageRow): string | undefined => {
    const tagged = (references.get(image.id) ?? []).some(({ tag }) => tag !== undefined);
    if (references.has(image.id)) {
      if (tagged && !options.all) return undefined;
      return passes(image, options.filters) ? 'no container uses it' : undefined;
    }
    const children = rows.children(image.id).filter((child) => leaving.has(child));
    if (children[0] !== undefined) return `only ${shortId(children[0])} of this plan was made from it`;
    if (cached.has(image.id) || !passes(image, options.filters)) return undefined;
    return 'dangling: it has no name, and no container uses it';
  };
  for (let before = -1; before !== leaving.size; ) {
    before = leaving.size;
    for (const image of images) {
      const reason = !leaving.has(image.id) && isFree(image) ? reasonOf(image) : undefined;
      if (reason !== undefined) leaving.set(image.id, reason);
    }
  }
  return [...leaving].map(([id, reason]) => ({ id, names: namesOf(id), reason }));
}

/** What removing each of these images frees in trees and blobs, if all of them and the containers go. */
export async function reclaimable(
  parts: ImageParts,
  ids: readonly ImageId[],
  goneContainers: ReadonlySet<string>,
): Promise<number[]> {
  const { rows, snapshots, content } = parts;
  const leaving = new Set(ids);
  const inUse = new Set(
    [...parts.users()].flatMap(({ containerId, imageId }) =>
      goneContainers.has(containerId) ? [] : [imageId],
    ),
  );
  const counted = new Set<string>();
  const partsOf = (image: ImageRow): string[] => [...image.chainIds.map(treeKey), ...blobsOf(image)];
  for (const image of rows.all()) {
    if (!leaving.has(image.id) || inUse.has(image.id)) for (const key of partsOf(image)) counted.add(key);
  }
  const once = (key: string) => !counted.has(key) && counted.add(key) !== undefined;
  const sizes: number[] = [];
  for (const id of ids) {
    const image = rows.get(id);
    let bytes = 0;
    for (const chainId of image?.chainIds ?? []) {
      if (once(treeKey(chainId))) bytes += snapshots.stat(chainId)?.usage.bytes ?? 0;
    }
    for (const digest of image === undefined ? [] : blobsOf(image)) {
      if (once(digest)) bytes += (await content.info(digest))?.size ?? 0;
    }
    sizes.push(bytes);
  }
  return sizes;
}

/** Removes an image that is as it was planned; else says why it is left. Its bytes go with the next collection. */
export function removeAsPlanned(
  parts: ImageParts,
  { id, names }: Pick<PrunableImage, 'id' | 'names'>,
): string | undefined {
  const { rows } = parts;
  const image = rows.get(id);
  if (image === undefined) return 'it is gone already';
  const now = rows.references(id).map(familiarString);
  if (now.join(' ') !== names.join(' ')) return `its names are others now: ${now.join(', ') || 'none'}`;
  const [user] = [...parts.users()].filter(({ imageId }) => imageId === id);
  if (user !== undefined) return `container ${shortId(user.containerId)} uses it`;
  if (parts.building().has(id)) return 'a build uses it';
  const [child] = rows.children(id);
  if (child !== undefined) return `image ${shortId(child)} was made from it`;
  // By its id, with whatever names it has: the last tag of a repository takes the digests along, which are names too.
  removeImage(parts, id, { force: true, noPrune: true });
  return undefined;
}

function blobsOf(image: ImageRow): Digest[] {
  return [image.manifest, image.id, ...image.layers.map(({ digest }) => digest)];
}

/** A base layer's chainID is the digest of its blob, if that is plain. */
function treeKey(chainId: string): string {
  return `tree ${chainId}`;
}
