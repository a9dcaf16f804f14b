import type { Readable } from 'node:stream';
import type { ContentStore, PartialBlob } from '../../content/index.ts';
import { EngineError, isCode } from '../../errors/index.ts';
import { counted } from '../../lib/counted.ts';
import { SharedWork } from '../../lib/shared-work.ts';
import { Slots } from '../../lib/slots.ts';
import type { ChainId, DiffId } from '../../oci/index.ts';
import type { RemoteRepository } from '../../registry/index.ts';
import type { Layers, Snapshotter, StagedLayer } from '../../snapshot/index.ts';
import type { ImageLayer } from '../images.ts';
import { type LayerStatus, moving } from '../transfer-progress.ts';
import { fetchBlob } from './fetch-blob.ts';

/** The layers of one image, base first; a lease of the caller's holds their blobs and snapshots. */
export interface LayerStack {
  readonly repository: RemoteRepository;
  readonly layers: readonly ImageLayer[];
  readonly diffIds: readonly DiffId[];
  readonly chainIds: readonly ChainId[];
}

export interface LayerPullsOptions {
  readonly content: ContentStore;
  readonly snapshots: Snapshotter;
  readonly layers: Layers;
  /** Downloads at once. */
  readonly downloads: number;
  /** Layers unpacked at once. */
  readonly unpacks: number;
}

interface Waiting {
  readonly listener?: (status: LayerStatus) => void;
  readonly signal: AbortSignal;
}

interface Place {
  readonly repository: RemoteRepository;
  readonly layer: ImageLayer;
  readonly diffId: DiffId;
  readonly chainId: ChainId;
  readonly base: boolean;
  readonly tell: (status: LayerStatus) => void;
  readonly signal: AbortSignal;
}

/**
 * Layers on their way in: each is downloaded and unpacked at the same time, beside the others, and only committed
 * when the one below is. However many pulls want a layer, it is brought once; it stops when the last of them leaves.
 */
export class LayerPulls {
  readonly #options: LayerPullsOptions;
  readonly #shared = new SharedWork<void, LayerStatus>();
  readonly #downloads: Slots;
  readonly #unpacks: Slots;

  constructor(options: LayerPullsOptions) {
    this.#options = options;
    this.#downloads = new Slots(options.downloads);
    this.#unpacks = new Slots(options.unpacks);
  }

  /** Whether there is nothing to do for a layer. */
  async has(stack: Pick<LayerStack, 'layers' | 'chainIds'>, index: number): Promise<boolean> {
    const [layer, chainId] = [stack.layers[index], stack.chainIds[index]];
    if (layer === undefined || chainId === undefined) return false;
    if (this.#options.snapshots.stat(chainId) === undefined) return false;
    return (await this.#options.content.info(layer.digest)) !== undefined;
  }

  /** Makes layer `index` and those below it be here, verified: its blob stored, its tree a committed snapshot. */
  async bring(stack: LayerStack, index: number, { listener, signal }: Waiting): Promise<void> {
    const [layer, diffId, chainId] = [stack.layers[index], stack.diffIds[index], stack.chainIds[index]];
    if (layer === undefined || diffId === undefined || chainId === undefined) return;
    const place = { repository: stack.repository, layer, diffId, chainId, base: index === 0 };
    await this.#shared.join({
      // The same tree may come from different blobs.
      key: `${chainId} ${layer.digest}`,
      ...(listener === undefined ? {} : { listener }),
      signal,
      work: async (tell, workSignal) => {
        // What is here was verified as it came.
        if (!(await this.has(stack, index))) {
          await this.#bringOnto(stack, index, { ...place, tell, signal: workSignal });
        }
        tell({ status: 'Pull complete' });
      },
    });
  }

  /** Brings a layer beside what is below, which is awaited only when it is needed; one stops the other when it fails. */
  async #bringOnto(stack: LayerStack, index: number, place: Place): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([place.signal, stop.signal]);
    const below = this.bring(stack, index - 1, { signal });
    below.catch(() => undefined);
    try {
      await this.#bringOne({ ...place, signal }, async () => {
        await below;
        return stack.chainIds[index - 1];
      });
    } catch (error) {
      stop.abort(error);
      await below.catch(() => undefined);
      throw error;
    }
  }

  /** Waits until nothing is on its way. */
  async idle(): Promise<void> {
    await this.#shared.idle();
  }

  async #bringOne(place: Place, parent: () => Promise<ChainId | undefined>): Promise<void> {
    const { content, snapshots, layers } = this.#options;
    const { layer, diffId, chainId, signal } = place;
    const wanted = snapshots.stat(chainId) === undefined;
    const staged = await this.#stage(place, wanted);
    if (staged === undefined) {
      const below = await parent();
      // Its tree was there, the blob was not: it has to be the one that gives the tree.
      if (!wanted) await layers.apply(await content.open(layer.digest), below, { diffId, signal });
      return;
    }
    await using tree = staged;
    const below = await parent();
    signal.throwIfAborted();
    await tree.commit(below);
  }

  /** The layer unpacked from its blob, which is stored then; `undefined` if the tree is not wanted. */
  async #stage(place: Place, wanted: boolean): Promise<StagedLayer | undefined> {
    const { content } = this.#options;
    const { layer, signal } = place;
    // Another image's layer may have the same blob, which is on its way or has come meanwhile.
    await using blob = await content.resume(layer, signal);
    if ((await content.info(layer.digest)) !== undefined) {
      await blob.reset();
      return wanted ? await this.#unpack(place, await content.open(layer.digest)) : undefined;
    }
    const resumed = blob.size > 0;
    try {
      return await this.#download(place, { blob, wanted });
    } catch (error) {
      // What an earlier try left may have been damaged, by a power cut or by a registry that lied.
      if (!resumed || blob.size > 0 || !isCode(error, 'invalidArgument')) throw error;
      return await this.#download(place, { blob, wanted });
    }
  }

  /** Downloads and unpacks side by side: the one reads what the other has written. */
  async #download(
    place: Place,
    { blob, wanted }: { readonly blob: PartialBlob; readonly wanted: boolean },
  ): Promise<StagedLayer | undefined> {
    const { repository, layer, tell } = place;
    const stop = new AbortController();
    const signal = AbortSignal.any([place.signal, stop.signal]);
    let unpacking: Promise<StagedLayer> | undefined;
    let downloaded = false;
    const extracting = moving('Extracting', tell);
    const onRead = (current: number) => {
      if (downloaded) extracting(current, layer.size);
    };
    try {
      if (this.#downloads.full) tell({ status: 'Waiting' });
      await this.#downloads.run(async () => {
        if (wanted) {
          unpacking = this.#unpack({ ...place, signal }, blob.follow(), onRead);
          // A damaged layer is downloaded to its end all the same: only then is it known whose fault it is.
          unpacking.catch((error: unknown) => {
            if (!isCode(error, 'invalidArgument')) stop.abort(error);
          });
        }
        await fetchBlob({
          repository,
          layer,
          blob,
          onProgress: moving('Downloading', tell),
          onRetry: (ms) => tell({ status: `Retrying in ${Math.ceil(ms / 1000)} seconds` }),
          signal,
        });
      }, signal);
      tell({ status: 'Verifying Checksum' });
      await this.#commit(layer, blob);
      downloaded = true;
      tell({ status: 'Download complete' });
      return await unpacking;
    } catch (error) {
      stop.abort(error);
      await unpacking?.then((staged) => staged[Symbol.asyncDispose]()).catch(() => undefined);
      // A full disk gets back what this took.
      if (isCode(error, 'outOfSpace')) await blob.reset();
      throw error;
    }
  }

  async #commit(layer: ImageLayer, blob: PartialBlob): Promise<void> {
    try {
      await blob.commit();
    } catch (error) {
      if (!isCode(error, 'invalidArgument')) throw error;
      throw new EngineError(
        'invalidArgument',
        `filesystem layer verification failed for digest ${layer.digest}`,
        {
          cause: error,
        },
      );
    }
  }

  async #unpack(place: Place, tar: Readable, onRead?: (bytes: number) => void): Promise<StagedLayer> {
    const { diffId, base, signal, layer, tell } = place;
    const extracting = moving('Extracting', tell);
    const counting = counted(
      tar,
      onRead ??
        ((current) => {
          extracting(current, layer.size);
        }),
    );
    try {
      return await this.#unpacks.run(
        () => this.#options.layers.stage(counting, { diffId, base, signal }),
        signal,
      );
    } finally {
      counting.destroy();
      tar.destroy();
    }
  }
}
