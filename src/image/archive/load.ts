import { PassThrough, type Readable } from 'node:stream';
import type { ProgressMessage } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { decompress } from '../../lib/decompress.ts';
import { shortId } from '../../lib/ids.ts';
import type { Lease } from '../../metadata/index.ts';
import {
  type ChainId,
  chainIdsOf,
  familiarString,
  type Platform,
  parseImageConfig,
} from '../../oci/index.ts';
import { recordImage } from '../image-events.ts';
import type { ImageParts } from '../image-parts.ts';
import type { NewImageRow } from '../image-rows.ts';
import type { ImageLayer } from '../images.ts';
import { storeImage } from '../store-image.ts';
import { completeFromStore } from './delta.ts';
import { type ArchiveItem, type PlannedImage, parseArchiveManifest, planLoad } from './plan.ts';
import { type LayerSink, Spool } from './spool.ts';

export interface LoadOptions {
  readonly onProgress: (message: ProgressMessage) => void;
  /** Loads these only; default: this host's, or whatever there is. */
  readonly platforms?: readonly Platform[];
  readonly signal?: AbortSignal;
}

/**
 * Loads all images of an archive, or none: rows are written in one transaction after everything is verified and
 * unpacked, and what a failed load left behind is collected. Where the archive tells its layers first (ours do),
 * they are unpacked while they arrive.
 */
export async function loadArchive(parts: ImageParts, archive: Readable, options: LoadOptions): Promise<void> {
  let leftOver: boolean;
  try {
    using lease = parts.metadata.leases.acquire();
    leftOver = await load({ ...parts, ...options, lease }, archive);
  } catch (error) {
    archive.destroy();
    await parts.collect();
    throw error;
  }
  if (leftOver) await parts.collect();
}

type Loading = ImageParts & LoadOptions & { readonly lease: Lease };

/** Whether blobs came that none of the images has, as those of other platforms. */
async function load(loading: Loading, archive: Readable): Promise<boolean> {
  const { content, lease, signal, rows, metadata, onProgress } = loading;
  const early = new EarlyLayers(loading);
  const spool = new Spool({
    content,
    lease,
    ...(signal === undefined ? {} : { signal }),
    sinkFor: (path, files) => early.sinkFor(path, files),
  });
  const { stream } = await decompress(archive);
  await spool.fill(stream as AsyncIterable<Uint8Array>);
  await completeFromStore(spool, loading);
  const images = await planLoad(spool, (chainIds) => layersHere(loading, chainIds), loading.platforms);
  const loaded: { readonly image: PlannedImage; readonly row: NewImageRow }[] = [];
  for (const image of images) {
    await unpack(loading, image);
    loaded.push({ image, row: await storeImage(loading, image, lease) });
  }
  signal?.throwIfAborted();
  const messages: string[] = [];
  metadata.transact((transaction) => {
    for (const { image, row } of loaded) {
      rows.insert(transaction, row);
      for (const tag of image.tags) {
        const before = rows.byReference(tag);
        if (before !== undefined && before !== row.id) {
          messages.push(
            `The image ${familiarString(tag)} already exists, renaming the old one with ID ${before} to empty string\n`,
          );
        }
        rows.setReference(transaction, tag, row.id);
        messages.push(`Loaded image: ${familiarString(tag)}\n`);
      }
      if (image.tags.length === 0) messages.push(`Loaded image ID: ${row.id}\n`);
      recordImage(transaction, 'load', { id: row.id, config: image.config });
    }
  });
  for (const stream of messages) onProgress({ stream });
  const had = new Set(
    loaded.flatMap(({ row }) => {
      const { id, manifest, layers } = rows.get(row.id) ?? row;
      return [id, manifest, ...layers.map(({ digest }) => digest)];
    }),
  );
  return spool.blobs().some((digest) => !had.has(digest));
}

/** A blob for each of these layers that an image here has, held by the lease. */
function layersHere({ rows, lease }: Loading, chainIds: readonly ChainId[]): (ImageLayer | undefined)[] {
  const here = rows.layersAt(chainIds);
  lease.add(...here.flatMap((layer) => (layer ? { kind: 'blob' as const, id: layer.digest } : [])));
  return here;
}

/** Unpacks the layers that are not there yet, each onto the one before. */
async function unpack(loading: Loading, image: PlannedImage): Promise<void> {
  const { content, layers, lease, snapshots, signal, onProgress } = loading;
  const { diff_ids: diffIds } = image.config.rootfs;
  const chainIds = chainIdsOf(diffIds);
  lease.add(...chainIds.map((id) => ({ kind: 'snapshot' as const, id })));
  const here = layersHere(loading, chainIds);
  for (const [index, layer] of image.layers.entries()) {
    const [diffId, chainId] = [diffIds[index], chainIds[index]];
    if (diffId === undefined || chainId === undefined) continue;
    // A blob that is not compressed is its own diffID, so there is no need to read it again.
    const plain = layer.mediaType.endsWith('tar');
    if (plain && layer.digest !== diffId) {
      throw new EngineError(
        'invalidArgument',
        `invalid diffID for layer ${index}: expected "${diffId}", got "${layer.digest}"`,
      );
    }
    const isVerified = plain || here[index]?.digest === layer.digest;
    if (isVerified && snapshots.stat(chainId) !== undefined) continue;
    const tar = await content.open(layer.digest);
    await layers.apply(tar, chainIds[index - 1], { diffId, ...(signal === undefined ? {} : { signal }) });
    onProgress(loadedLayer(diffId, layer.size));
  }
}

/** Unpacks layers of a docker archive from the stream, when `manifest.json` and config came before them. */
class EarlyLayers {
  readonly #loading: Loading;
  #items: readonly ArchiveItem[] | undefined;

  constructor(loading: Loading) {
    this.#loading = loading;
  }

  sinkFor(path: string, spool: Spool): LayerSink | undefined {
    const { snapshots, layers, lease, signal, onProgress } = this.#loading;
    this.#items ??= itemsOf(spool);
    for (const { config, layers: paths } of this.#items ?? []) {
      const index = paths.indexOf(path);
      const configBytes = index < 0 ? undefined : spool.peek(config);
      if (configBytes === undefined) continue;
      const { diff_ids: diffIds } = parseImageConfig(configBytes).rootfs;
      const chainIds = chainIdsOf(diffIds);
      const [diffId, chainId, parent] = [diffIds[index], chainIds[index], chainIds[index - 1]];
      if (diffId === undefined || chainId === undefined) continue;
      if (snapshots.stat(chainId) !== undefined) continue;
      if (parent !== undefined && snapshots.stat(parent) === undefined) continue;
      lease.add(...chainIds.slice(0, index + 1).map((id) => ({ kind: 'snapshot' as const, id })));
      const writable = new PassThrough({ highWaterMark: 1 << 20 });
      const apply = async () => {
        const { size } = await layers.apply(writable, parent, {
          diffId,
          ...(signal === undefined ? {} : { signal }),
        });
        onProgress(loadedLayer(diffId, size));
      };
      const done = apply();
      done.catch(() => undefined); // Awaited at the end of the file.
      writable.on('error', () => undefined);
      return { writable, done };
    }
    return undefined;
  }
}

function itemsOf(spool: Spool): readonly ArchiveItem[] | undefined {
  const bytes = spool.peek('manifest.json');
  return bytes === undefined ? undefined : parseArchiveManifest(bytes);
}

function loadedLayer(diffId: string, size: number): ProgressMessage {
  return { status: 'Loading layer', id: shortId(diffId), progressDetail: { current: size, total: size } };
}
