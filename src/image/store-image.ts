import type { ContentStore } from '../content/index.ts';
import { EngineError } from '../errors/index.ts';
import type { Lease } from '../metadata/index.ts';
import {
  chainIdsOf,
  type Descriptor,
  type ImageConfig,
  type ImageId,
  MediaType,
  parseImageConfig,
} from '../oci/index.ts';
import type { ImageParts } from './image-parts.ts';
import type { ImageRow, NewImageRow } from './image-rows.ts';
import type { ImageLayer } from './images.ts';

export interface ImageToStore {
  /** Exactly as they came: their digest is the image's id. */
  readonly configBytes: Uint8Array | string;
  readonly layers: readonly ImageLayer[];
  readonly parent?: ImageId;
  /** The manifest it came with; without it one is made. */
  readonly manifestBytes?: Uint8Array;
}

/**
 * Stores an image's config and manifest under the lease, checks that its layers are all there, and returns the row
 * that makes it an image once inserted.
 */
export async function storeImage(parts: ImageParts, image: ImageToStore, lease: Lease): Promise<NewImageRow> {
  const { content, snapshots } = parts;
  const configText =
    typeof image.configBytes === 'string' ? image.configBytes : new TextDecoder().decode(image.configBytes);
  const config = parseImageConfig(configText);
  const { diff_ids: diffIds } = config.rootfs;
  if (diffIds.length !== image.layers.length) {
    throw new EngineError(
      'invalidArgument',
      `invalid manifest, layers length mismatch: expected ${image.layers.length}, got ${diffIds.length}`,
    );
  }
  const chainIds = chainIdsOf(diffIds);
  lease.add(
    ...image.layers.map(({ digest }) => ({ kind: 'blob' as const, id: digest })),
    ...chainIds.map((id) => ({ kind: 'snapshot' as const, id })),
  );
  let size = 0;
  for (const chainId of chainIds) {
    const snapshot = snapshots.stat(chainId);
    if (snapshot === undefined) throw new EngineError('internal', `layer ${chainId} is not unpacked`);
    size += snapshot.usage.bytes;
  }
  for (const { digest } of image.layers) {
    if ((await content.info(digest)) === undefined) {
      throw new EngineError('internal', `layer blob ${digest} is not in the content store`);
    }
  }
  const { digest: id } = await content.put(image.configBytes, lease);
  const manifestBytes =
    image.manifestBytes ??
    encodeManifest({ digest: id, size: Buffer.byteLength(image.configBytes) }, image.layers);
  const { digest: manifest } = await content.put(manifestBytes, lease);
  const known = parts.rows.get(id);
  return {
    id,
    manifest,
    layers: image.layers.map(({ digest, size: bytes, mediaType }) => ({ digest, size: bytes, mediaType })),
    ...(image.parent === undefined ? {} : { parent: image.parent }),
    size,
    createdAtMs: createdAtMs(config),
    configText,
    replaces: known !== undefined && (await hasLostBlobs(content, known)),
  };
}

async function hasLostBlobs(content: ContentStore, { manifest, layers }: ImageRow): Promise<boolean> {
  for (const digest of [manifest, ...layers.map((layer) => layer.digest)]) {
    if ((await content.info(digest)) === undefined) return true;
  }
  return false;
}

/** The bytes of the config of an image made here; equal configs give equal bytes. */
export function encodeConfig(config: ImageConfig): string {
  return JSON.stringify(config);
}

/** The manifest of an image made here; equal images give equal bytes. */
export function encodeManifest(
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  layers: readonly ImageLayer[],
): string {
  const config: Descriptor = { mediaType: MediaType.ociConfig, digest, size };
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config,
    layers: layers.map(({ mediaType, digest: layer, size: bytes }) => ({
      mediaType,
      digest: layer,
      size: bytes,
    })),
  });
}

function createdAtMs({ created }: ImageConfig): number {
  const time = Date.parse(created ?? '');
  return Number.isNaN(time) ? 0 : Math.max(time, 0);
}
