import type { ContentStore } from '../../content/index.ts';
import { digestOf, MediaType, parseManifest } from '../../oci/index.ts';
import type { RemoteManifest } from '../../registry/index.ts';
import type { Image, ImageLayer } from '../images.ts';
import { encodeManifest } from '../store-image.ts';

/** An image as it goes to a registry. */
export interface OutgoingImage {
  readonly manifest: RemoteManifest;
  readonly config: { readonly digest: Image['id']; readonly size: number };
  /** Base first. */
  readonly layers: readonly ImageLayer[];
}

export interface Outgoing {
  readonly image: Image;
  /** As the image has them. */
  readonly layers: readonly ImageLayer[];
  /** Makes a layer's compressed form. */
  readonly compress: (layer: ImageLayer, index: number) => Promise<ImageLayer>;
}

const ociTypes: Readonly<Record<string, string>> = {
  [MediaType.dockerLayer]: MediaType.ociLayer,
  [MediaType.dockerLayerGzip]: MediaType.ociLayerGzip,
};

/**
 * A manifest that came from elsewhere goes as it is, and with it every digest. For an image made here one is written
 * whose plain layers are compressed.
 */
export async function outgoingImage(content: ContentStore, outgoing: Outgoing): Promise<OutgoingImage> {
  const { image, layers, compress } = outgoing;
  const info = await content.info(image.id);
  const config = { digest: image.id, size: info?.size ?? 0 };
  const stored = await content.read(image.manifest);
  if (stored.toString() !== encodeManifest(config, layers)) {
    const { mediaType = MediaType.ociManifest } = parseManifest(stored);
    return { manifest: { bytes: stored, digest: image.manifest, mediaType }, config, layers };
  }
  const compressed = await Promise.all(
    layers.map(async (layer, index) => {
      const form = layer.mediaType.endsWith('tar') ? await compress(layer, index) : layer;
      return { ...form, mediaType: ociTypes[form.mediaType] ?? form.mediaType };
    }),
  );
  const bytes = Buffer.from(encodeManifest(config, compressed));
  return {
    manifest: { bytes, digest: digestOf(bytes), mediaType: MediaType.ociManifest },
    config,
    layers: compressed,
  };
}
