import type { ChangeCounts, ImageLayerReport, ImageLayersReport, StoreChange } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { familiarString } from '../oci/index.ts';
import type { TreeChange } from '../snapshot/index.ts';
import type { ImageParts } from './image-parts.ts';
import type { ImageTree } from './images.ts';
import { resolveImage } from './resolve-image.ts';

/** What each layer of an image adds, changes and removes, and the bytes below that it hides. Mounts each layer once. */
export async function imageLayers(
  parts: ImageParts,
  nameOrId: string,
  { changes, signal }: { readonly changes: boolean; readonly signal?: AbortSignal },
): Promise<ImageLayersReport> {
  const { rows, snapshots, metadata } = parts;
  const { image } = resolveImage(rows, nameOrId);
  using lease = metadata.leases.acquire();
  lease.add(...image.chainIds.map((id) => ({ kind: 'snapshot' as const, id })));
  const steps = (image.config.history ?? []).filter((entry) => entry.empty_layer !== true);
  const layers: ImageLayerReport[] = [];
  for (const [index, chainId] of image.chainIds.entries()) {
    signal?.throwIfAborted();
    const found = await snapshots.layerChanges(chainId, signal);
    const blob = image.layers[index];
    const diffId = image.config.rootfs.diff_ids[index];
    if (blob === undefined || diffId === undefined) {
      throw new EngineError('internal', `image ${image.id} has no blob for layer ${index}`);
    }
    layers.push({
      DiffId: diffId,
      Blob: { Digest: blob.digest, Size: blob.size, MediaType: blob.mediaType },
      CreatedBy: steps[index]?.created_by ?? '',
      Size: snapshots.stat(chainId)?.usage.bytes ?? 0,
      WastedBytes: sum(found.map(({ before }) => before)),
      ...countsOf(found),
      ...(changes ? { Changes: found.map(storeChange) } : {}),
    });
  }
  return {
    Id: image.id,
    RepoTags: rows
      .references(image.id)
      .flatMap((one) => (one.tag === undefined ? [] : [familiarString(one)])),
    Size: image.size,
    WastedBytes: sum(layers.map(({ WastedBytes }) => WastedBytes)),
    Layers: layers,
  };
}

export function countsOf(changes: readonly TreeChange[]): ChangeCounts {
  const count = (wanted: TreeChange['kind']) => changes.filter(({ kind }) => kind === wanted).length;
  return { Added: count('added'), Changed: count('changed'), Removed: count('removed') };
}

export function storeChange({ kind, path, size, before }: TreeChange): StoreChange {
  return { Kind: kind, Path: path, Size: size, Before: before };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** See `Images.openTree`: mounted, and held by a lease. */
export async function openTree(
  { rows, snapshots, metadata }: ImageParts,
  nameOrId: string,
  signal?: AbortSignal,
): Promise<ImageTree> {
  const { id, chainId, chainIds } = resolveImage(rows, nameOrId).image;
  const lease = metadata.leases.acquire();
  try {
    lease.add(...chainIds.map((one) => ({ kind: 'snapshot' as const, id: one })));
    const view = chainId === undefined ? undefined : await snapshots.view(chainId, signal);
    return {
      id,
      root: view?.root,
      [Symbol.asyncDispose]: async () => {
        await view?.[Symbol.asyncDispose]();
        lease[Symbol.dispose]();
      },
    };
  } catch (error) {
    lease[Symbol.dispose]();
    throw error;
  }
}
