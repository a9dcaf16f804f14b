import type { ProgressMessage } from '../../api/index.ts';
import type { ContentStore } from '../../content/index.ts';
import { EngineError } from '../../errors/index.ts';
import { shortId } from '../../lib/ids.ts';
import type { SharedWork } from '../../lib/shared-work.ts';
import type { Slots } from '../../lib/slots.ts';
import type { Lease, Leases } from '../../metadata/index.ts';
import {
  canonicalName,
  familiarName,
  familiarString,
  type Platform,
  type Reference,
} from '../../oci/index.ts';
import type { Access, PushedBlob, RegistryClient, RemoteRepository } from '../../registry/index.ts';
import { assertPlatform } from '../assert-platform.ts';
import type { Image, ImageLayer, Images } from '../images.ts';
import { type LayerStatus, layerMessage, moving } from '../transfer-progress.ts';
import type { CompressedLayers } from './compressed-layers.ts';
import { type OutgoingImage, outgoingImage } from './outgoing-image.ts';

export interface PushRequest {
  /** With a tag, or all tags of the repository. */
  readonly reference: Reference;
  readonly access: Access;
  /** One of them must be each image's own. */
  readonly platforms?: readonly Platform[];
}

export interface PushParts {
  readonly images: Images;
  readonly content: ContentStore;
  readonly registry: RegistryClient;
  readonly leases: Leases;
  readonly compressed: CompressedLayers;
  /** Uploads of all pushes. */
  readonly uploads: Slots;
  /** Blobs on their way out, by repository and digest. */
  readonly shared: SharedWork<PushedBlob, LayerStatus>;
}

interface Call {
  readonly onProgress: (message: ProgressMessage) => void;
  readonly signal: AbortSignal;
}

/** `docker push`: blobs the registry lacks, side by side, then the manifest, which makes them visible at once. */
export async function push(parts: PushParts, request: PushRequest, call: Call): Promise<void> {
  const { reference, access, platforms = [] } = request;
  if (reference.digest !== undefined) {
    throw new EngineError('invalidArgument', 'cannot push a digest reference');
  }
  const tags = parts.images.tagsOf(reference);
  const wanted = tags
    .filter(({ reference: { tag } }) => reference.tag === undefined || tag === reference.tag)
    .map(({ reference: tagged, id }) => ({ tagged, image: parts.images.resolve(id) }));
  for (const { tagged, image } of wanted) assertPlatform(image.config, familiarString(tagged), platforms);
  call.onProgress({ status: `The push refers to repository [${canonicalName(reference)}]` });
  if (tags.length === 0) {
    throw new EngineError(
      'notFound',
      `An image does not exist locally with the tag: ${familiarName(reference)}`,
    );
  }
  if (wanted.length === 0) {
    throw new EngineError('notFound', `tag does not exist: ${familiarString(reference)}`);
  }
  const repository = parts.registry.repository(reference, access, 'push');
  for (const { image, tagged } of wanted) {
    await new ImagePush(parts, { image, reference: tagged, repository }, call).run();
  }
}

/** One image on its way to one tag. */
class ImagePush {
  readonly #parts: PushParts;
  readonly #image: Image;
  readonly #reference: Reference;
  readonly #repository: RemoteRepository;
  readonly #call: Call;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    parts: PushParts,
    what: { readonly image: Image; readonly reference: Reference; readonly repository: RemoteRepository },
    call: Call,
  ) {
    this.#parts = parts;
    this.#image = what.image;
    this.#reference = what.reference;
    this.#repository = what.repository;
    this.#call = call;
    this.#signal = AbortSignal.any([call.signal, this.#stop.signal]);
  }

  async run(): Promise<void> {
    const { images, content, leases } = this.#parts;
    const layers = images.layersOf(this.#image.id);
    using lease = leases.acquire();
    const blobs = [this.#image.id, this.#image.manifest, ...layers.map(({ digest }) => digest)];
    lease.add(...blobs.map((id) => ({ kind: 'blob' as const, id })));
    for (const index of [...layers.keys()].reverse()) this.#tell(index, { status: 'Preparing' });
    const outgoing = await this.#pushBlobs(layers, lease);
    const { manifest } = outgoing;
    await content.put(manifest.bytes, lease);
    await this.#repository.pushManifest(manifest, this.#reference, { signal: this.#signal });
    const { domain, path, tag = '' } = this.#reference;
    images.rename(this.#image.id, {
      names: [{ domain, path, digest: manifest.digest }],
      event: {
        type: 'image',
        action: 'push',
        id: familiarString(this.#reference),
        attributes: { ...this.#image.config.config?.Labels, name: familiarName(this.#reference) },
      },
    });
    const size = manifest.bytes.length;
    this.#call.onProgress({ status: `${tag}: digest: ${manifest.digest} size: ${size}` });
    this.#call.onProgress({ progressDetail: {}, aux: { Tag: tag, Digest: manifest.digest, Size: size } });
  }

  /** Layers go as soon as they are compressed. */
  async #pushBlobs(layers: readonly ImageLayer[], lease: Lease): Promise<OutgoingImage> {
    const pushing: Promise<unknown>[] = [];
    const track = (work: Promise<unknown>) => {
      work.catch((error: unknown) => this.#stop.abort(error));
      pushing.push(work);
    };
    const { compressed, content } = this.#parts;
    try {
      const outgoing = await outgoingImage(content, {
        image: this.#image,
        layers,
        compress: async (layer, index) => {
          const form = await compressed.of(layer, lease, this.#signal);
          track(this.#pushLayer(form, { plain: layer, index }));
          return form;
        },
      });
      track(this.#pushConfig(outgoing));
      for (const [index, layer] of outgoing.layers.entries()) {
        const plain = layers[index] ?? layer;
        if (layer.digest === plain.digest) track(this.#pushLayer(layer, { plain, index }));
      }
      await Promise.all(pushing);
      return outgoing;
    } catch (error) {
      this.#stop.abort(error);
      await Promise.allSettled(pushing);
      this.#call.signal.throwIfAborted();
      throw this.#stop.signal.reason;
    }
  }

  async #pushConfig({ config }: OutgoingImage): Promise<void> {
    await this.#pushBlob({ ...config, mediaType: '' }, []);
  }

  async #pushLayer(
    layer: ImageLayer,
    { plain, index }: { readonly plain: ImageLayer; readonly index: number },
  ): Promise<void> {
    const { domain, path } = this.#reference;
    const holders = this.#parts.images.repositoriesWith(plain.digest);
    const mountFrom = holders.flatMap((one) =>
      one.domain === domain && one.path !== path ? [one.path] : [],
    );
    const pushed = await this.#pushBlob(layer, [...new Set(mountFrom)], (status) =>
      this.#tell(index, status),
    );
    this.#tell(index, { status: doneStatus(pushed) });
  }

  async #pushBlob(
    { digest, size }: ImageLayer,
    mountFrom: readonly string[],
    listener?: (status: LayerStatus) => void,
  ): Promise<PushedBlob> {
    const { content, shared, uploads } = this.#parts;
    return shared.join({
      key: `${canonicalName(this.#reference)} ${digest}`,
      ...(listener === undefined ? {} : { listener }),
      signal: this.#signal,
      work: async (tell, signal) => {
        if (uploads.full) tell({ status: 'Waiting' });
        const pushing = moving('Pushing', tell);
        const source = { digest, size, open: async () => content.open(digest) };
        return uploads.run(
          () =>
            this.#repository.pushBlob(source, {
              mountFrom,
              onProgress: (sent) => {
                pushing(sent, size);
              },
              signal,
            }),
          signal,
        );
      },
    });
  }

  #tell(index: number, status: LayerStatus): void {
    const diffId = this.#image.config.rootfs.diff_ids[index] ?? '';
    this.#call.onProgress(layerMessage(shortId(diffId), status));
  }
}

function doneStatus(pushed: PushedBlob): string {
  switch (pushed.kind) {
    case 'exists':
      return 'Layer already exists';
    case 'mounted':
      return `Mounted from ${pushed.from}`;
    case 'uploaded':
      return 'Pushed';
  }
}
