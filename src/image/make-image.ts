import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EngineError } from '../errors/index.ts';
import { decompress } from '../lib/decompress.ts';
import type { Lease } from '../metadata/index.ts';
import {
  type ChainId,
  type Digest,
  digestOf,
  familiarName,
  type HistoryEntry,
  hostPlatform,
  type ImageConfig,
  type ImageId,
  MediaType,
  type Platform,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../oci/index.ts';
import { applyChanges } from './apply-changes.ts';
import { recordImage, recordTag } from './image-events.ts';
import type { ImageParts } from './image-parts.ts';
import type { CommitRequest, Image, ImageLayer } from './images.ts';
import { encodeConfig, storeImage } from './store-image.ts';

export interface ImportOptions {
  readonly reference?: string;
  readonly message?: string;
  readonly changes: readonly string[];
  readonly platform?: Platform;
}

interface Made {
  readonly config: ImageConfig;
  readonly layers: readonly ImageLayer[];
  readonly parent?: ImageId;
  readonly tag?: Reference;
}

const tarBlock = 512;
/** What GNU tar and Go write for no files at all. */
const emptyTars = new Set([2, 20].map((blocks) => digestOf(Buffer.alloc(blocks * tarBlock))));

/** `docker import`: an image of one layer. */
export async function importRootfs(
  parts: ImageParts,
  tar: Readable,
  options: ImportOptions & { readonly signal: AbortSignal | undefined },
): Promise<Image> {
  const tag = options.reference === undefined ? undefined : tagOf(options.reference);
  const runConfig = applyChanges({}, options.changes);
  return underLease(parts, async (lease) => {
    const { layer, diffId } = await ingestLayer(parts, { tar, lease, signal: options.signal });
    await applyLayer(parts, { layer, diffId, lease, signal: options.signal });
    const created = new Date().toISOString();
    const { os, architecture, variant } = options.platform ?? hostPlatform();
    const comment = options.message || 'Imported from -';
    const config: ImageConfig = {
      created,
      architecture,
      os,
      ...(variant === undefined ? {} : { variant }),
      config: runConfig,
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [{ created, comment }],
    };
    return finish(parts, { config, layers: [layer], ...(tag ? { tag } : {}) }, lease, { imported: true });
  });
}

/** `docker commit`: the changes of an active snapshot as a layer on the image it came from. */
export async function commitImage(
  parts: ImageParts,
  request: CommitRequest,
  signal: AbortSignal | undefined,
): Promise<Image> {
  const tag = request.reference === undefined ? undefined : tagOf(request.reference);
  const base = request.base === undefined ? undefined : parts.rows.get(request.base);
  if (request.base !== undefined && base === undefined) {
    throw new EngineError('notFound', `No such image: ${request.base}`);
  }
  return underLease(parts, async (lease) => {
    const packed = await ingestLayer(parts, {
      tar: parts.layers.pack(request.snapshotKey, signal),
      lease,
      signal,
    });
    const changed = !emptyTars.has(packed.diffId);
    if (changed) {
      await applyLayer(parts, {
        ...packed,
        lease,
        signal,
        ...(base?.chainId === undefined ? {} : { parent: base.chainId }),
      });
    }
    const created = new Date().toISOString();
    const author = request.author || undefined;
    const comment = request.comment || undefined;
    const entry: HistoryEntry = {
      created,
      created_by: (request.config?.Cmd ?? []).join(' '),
      ...(author === undefined ? {} : { author }),
      ...(comment === undefined ? {} : { comment }),
      ...(changed ? {} : { empty_layer: true }),
    };
    const { os, architecture, variant } = base?.config ?? hostPlatform();
    const config: ImageConfig = {
      created,
      ...(author === undefined ? {} : { author }),
      architecture,
      os,
      ...(variant === undefined ? {} : { variant }),
      ...(request.config === undefined ? {} : { config: request.config }),
      rootfs: {
        type: 'layers',
        diff_ids: [...(base?.config.rootfs.diff_ids ?? []), ...(changed ? [packed.diffId] : [])],
      },
      history: [...(base?.config.history ?? []), entry],
    };
    const made: Made = {
      config,
      layers: [...(base?.layers ?? []), ...(changed ? [packed.layer] : [])],
      ...(request.base === undefined ? {} : { parent: request.base }),
      ...(tag === undefined ? {} : { tag }),
    };
    return finish(parts, made, lease);
  });
}

/** Adds an image whose layers are there, under a lease of its own. */
export async function addImage(parts: ImageParts, image: Omit<Made, 'tag'>): Promise<Image> {
  using lease = parts.metadata.leases.acquire();
  return await finish(parts, image, lease);
}

async function finish(
  parts: ImageParts,
  made: Made,
  lease: Lease,
  { imported = false } = {},
): Promise<Image> {
  const { rows, metadata } = parts;
  const { config, layers, parent, tag } = made;
  const row = await storeImage(
    parts,
    { configBytes: encodeConfig(config), layers, ...(parent === undefined ? {} : { parent }) },
    lease,
  );
  metadata.transact((transaction) => {
    rows.insert(transaction, row);
    const told = { id: row.id, config };
    if (!imported) recordImage(transaction, 'create', told);
    if (tag !== undefined) {
      rows.setReference(transaction, tag, row.id);
      recordTag(transaction, told, tag);
    }
    // Docker tells of an import last.
    if (imported) recordImage(transaction, 'import', told);
  });
  const image = rows.get(row.id);
  if (image === undefined) throw new EngineError('internal', `image ${row.id} was removed while it was made`);
  return image;
}

/** A name for an image to get. Throws `invalidArgument` for one with a digest. */
export function tagOf(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest !== undefined) {
    throw new EngineError('invalidArgument', 'refusing to create a tag with a digest reference');
  }
  if (familiarName(reference) === 'sha256') {
    throw new EngineError(
      'invalidArgument',
      'refusing to create an ambiguous tag using digest algorithm as name',
    );
  }
  return reference;
}

/** Runs `make` under a lease; what a failed one stored is collected. */
async function underLease(parts: ImageParts, make: (lease: Lease) => Promise<Image>): Promise<Image> {
  try {
    using lease = parts.metadata.leases.acquire();
    return await make(lease);
  } catch (error) {
    await parts.collect();
    throw error;
  }
}

interface Ingest {
  readonly tar: Readable;
  readonly lease: Lease;
  readonly signal: AbortSignal | undefined;
}

/** Stores a layer as a plain tar, whose digest is its diffID. */
async function ingestLayer(
  { content }: ImageParts,
  { tar, lease, signal }: Ingest,
): Promise<{ readonly layer: ImageLayer; readonly diffId: Digest }> {
  await using blob = await content.ingest(signal);
  const { stream } = await decompress(tar);
  await pipeline(stream, blob.writable, signal === undefined ? {} : { signal });
  const info = await blob.commit({}, lease);
  return { layer: { ...info, mediaType: MediaType.ociLayer }, diffId: info.digest };
}

async function applyLayer(
  { layers, content }: ImageParts,
  options: {
    readonly layer: ImageLayer;
    readonly diffId: Digest;
    readonly parent?: ChainId;
    readonly lease: Lease;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { layer, diffId, parent, lease, signal } = options;
  const [, chainId = diffId] = parent === undefined ? [] : [parent, digestOf(`${parent} ${diffId}`)];
  lease.add({ kind: 'snapshot', id: chainId });
  const tar = await content.open(layer.digest);
  await layers.apply(tar, parent, { diffId, ...(signal === undefined ? {} : { signal }) });
}
