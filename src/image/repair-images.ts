import { messageOf } from '../errors/index.ts';
import type { ChainId } from '../oci/index.ts';
import type { ImageParts } from './image-parts.ts';
import type { ImageRow } from './image-rows.ts';
import type { DamagedImage } from './images.ts';

/**
 * Unpacks layers of stored images whose trees are not there, from their blobs: a power loss takes the trees that
 * were not on the disk yet. Costs one look at each layer when all are there.
 */
export async function repairImages(parts: ImageParts): Promise<DamagedImage[]> {
  const damaged: DamagedImage[] = [];
  const whole = new Set<ChainId>();
  for (const image of parts.rows.all()) {
    try {
      await repair(parts, image, whole);
    } catch (error) {
      damaged.push({ id: image.id, reason: messageOf(error) });
    }
  }
  return damaged;
}

async function repair(
  { content, layers, snapshots }: ImageParts,
  { layers: blobs, chainIds, config }: ImageRow,
  whole: Set<ChainId>,
): Promise<void> {
  for (const [index, chainId] of chainIds.entries()) {
    if (whole.has(chainId)) continue;
    const [blob, diffId] = [blobs[index], config.rootfs.diff_ids[index]];
    if (snapshots.stat(chainId) === undefined && blob !== undefined && diffId !== undefined) {
      await layers.apply(await content.open(blob.digest), chainIds[index - 1], { diffId });
    }
    whole.add(chainId);
  }
}
