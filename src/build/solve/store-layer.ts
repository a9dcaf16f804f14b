import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobWriter, ContentStore } from '../../content/index.ts';
import type { Image, ImageLayer } from '../../image/index.ts';
import { tee } from '../../lib/tee.ts';
import type { Lease } from '../../metadata/index.ts';
import { type ChainId, chainIdOf, type DiffId, digestOf, MediaType } from '../../oci/index.ts';
import type { Layers, Snapshotter } from '../../snapshot/index.ts';

export interface LayerStores {
  readonly content: ContentStore;
  readonly snapshots: Snapshotter;
  readonly layers: Layers;
}

/** A layer made by a step: its blob stored, its tree a committed snapshot, both held by the build's lease. */
export interface NewLayer {
  readonly layer: ImageLayer;
  readonly diffId: DiffId;
  readonly chainId: ChainId;
}

export interface LayerPlace {
  readonly parent: ChainId | undefined;
  readonly lease: Lease;
  readonly signal: AbortSignal;
}

const readAhead = 1 << 20;
const tarBlock = 512;
/** What an archive of no files looks like: Go's and GNU tar's padding. */
const emptyTars = new Set([2, 20].map((blocks) => digestOf(Buffer.alloc(blocks * tarBlock))));

/** Stores a generated layer tar: one pass writes it as a blob and unpacks it. */
export async function storeLayer(
  stores: LayerStores,
  tar: AsyncIterable<Buffer>,
  { parent, lease, signal }: LayerPlace,
): Promise<NewLayer> {
  await using blob = await stores.content.ingest(signal);
  const copies = Readable.from(tee(blob.writable, tar), { objectMode: false, highWaterMark: readAhead });
  const applied = await stores.layers.apply(copies, parent, { signal });
  lease.add({ kind: 'snapshot', id: applied.chainId });
  const layer = await commitBlob(blob, applied.diffId, lease);
  return { layer, diffId: applied.diffId, chainId: applied.chainId };
}

/**
 * The layer that a step gave before, if the archive is the same again and the layer is there: then nothing has to be
 * written. Reads the archive to its end.
 */
export async function storedLayer(
  stores: LayerStores,
  tar: AsyncIterable<Buffer>,
  { before, parent, lease, signal }: LayerPlace & { readonly before: Image },
): Promise<NewLayer | undefined> {
  const diffId = before.config.rootfs.diff_ids.at(-1);
  if (diffId === undefined) return undefined;
  const chainId = chainIdOf(parent, diffId);
  lease.add({ kind: 'blob', id: diffId }, { kind: 'snapshot', id: chainId });
  const blob = await stores.content.info(diffId);
  if (blob === undefined || stores.snapshots.stat(chainId) === undefined) return undefined;
  const hash = createHash('sha256');
  let unbroken = 0;
  for await (const chunk of tar) {
    signal.throwIfAborted();
    hash.update(chunk);
    unbroken += chunk.length;
    // Nothing else here waits: let others have their turn.
    if (unbroken >= readAhead) {
      unbroken = 0;
      await nextTurn();
    }
  }
  if (`sha256:${hash.digest('hex')}` !== diffId) return undefined;
  return { layer: { ...blob, mediaType: MediaType.ociLayer }, diffId, chainId };
}

/** Packs what a command changed in an active snapshot and commits it; `undefined` when it changed nothing. */
export async function commitStep(
  stores: LayerStores,
  key: string,
  { parent, lease, signal }: LayerPlace,
): Promise<NewLayer | undefined> {
  const { content, layers, snapshots } = stores;
  await using blob = await content.ingest(signal);
  for await (const _chunk of tee(blob.writable, layers.pack(key, signal) as AsyncIterable<Buffer>)) {
    signal.throwIfAborted();
  }
  const layer = await commitBlob(blob, undefined, lease);
  if (emptyTars.has(layer.digest)) return undefined;
  const diffId = layer.digest;
  const chainId = chainIdOf(parent, diffId);
  lease.add({ kind: 'snapshot', id: chainId });
  await snapshots.unmount(key);
  await snapshots.commit(key, chainId);
  return { layer, diffId, chainId };
}

async function commitBlob(blob: BlobWriter, digest: DiffId | undefined, lease: Lease): Promise<ImageLayer> {
  blob.writable.end();
  await finished(blob.writable);
  const info = await blob.commit(digest === undefined ? undefined : { digest }, lease);
  return { digest: info.digest, size: info.size, mediaType: MediaType.ociLayer };
}
