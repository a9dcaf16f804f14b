import { availableParallelism } from 'node:os';
import type { DistributionInspect, ProgressMessage } from '../api/index.ts';
import type { ContentStore } from '../content/index.ts';
import { SharedWork } from '../lib/shared-work.ts';
import { Slots } from '../lib/slots.ts';
import type { Metadata } from '../metadata/index.ts';
import type { Platform, Reference } from '../oci/index.ts';
import type { Access, PushedBlob, RegistryClient, RemoteManifest } from '../registry/index.ts';
import type { Layers, Snapshotter } from '../snapshot/index.ts';
import { describeRemote } from './describe-remote.ts';
import type { Images } from './images.ts';
import { KeptLeases } from './pull/kept-leases.ts';
import { LayerPulls } from './pull/layer-pulls.ts';
import { pull } from './pull/pull.ts';
import { pullError } from './pull/pull-error.ts';
import { CompressedLayers } from './push/compressed-layers.ts';
import { type PushRequest, push } from './push/push.ts';
import type { LayerStatus } from './transfer-progress.ts';

export interface TransferCall {
  readonly onProgress: (message: ProgressMessage) => void;
  readonly signal: AbortSignal;
}

/** Images between this engine and registries. Disposing it waits until nothing is on its way; abort the calls first. */
export interface Transfers extends AsyncDisposable {
  /**
   * `docker pull`: by digest, by tag, or with neither all tags. The same layers wanted by several calls are brought
   * once. An image is there whole or not at all; what came of an interrupted pull is kept for a day and gone on with.
   * Errors before the first message are the registry's refusal, in Docker's words.
   */
  pull(
    request: { readonly reference: Reference; readonly platform?: Platform; readonly access: Access },
    call: TransferCall,
  ): Promise<void>;
  /**
   * `docker push` of a tag, or of all tags of a repository. Digests are those that were pulled; an image made here is
   * compressed once. Nothing is visible in the registry before all of an image is there.
   */
  push(request: PushRequest, call: TransferCall): Promise<void>;
  /** What a registry has under a name, without pulling it. */
  describe(reference: Reference, access: Access, signal: AbortSignal): Promise<DistributionInspect>;
  /** The manifest or index itself. */
  manifest(reference: Reference, access: Access, signal: AbortSignal): Promise<RemoteManifest>;
}

export interface TransferDependencies {
  readonly metadata: Metadata;
  readonly images: Images;
  readonly stores: {
    readonly content: ContentStore;
    readonly snapshots: Snapshotter;
    readonly layers: Layers;
  };
  readonly registry: RegistryClient;
  readonly limits: { readonly downloads: number; readonly uploads: number };
}

export function createTransfers({
  metadata,
  images,
  stores,
  registry,
  limits,
}: TransferDependencies): Transfers {
  const { content } = stores;
  const layers = new LayerPulls({
    ...stores,
    downloads: limits.downloads,
    unpacks: Math.max(2, availableParallelism()),
  });
  const kept = new KeptLeases(metadata.leases);
  const pullParts = { images, content, registry, kept, layers };
  const pushParts = {
    images,
    content,
    registry,
    leases: metadata.leases,
    compressed: new CompressedLayers(metadata, content),
    uploads: new Slots(limits.uploads),
    shared: new SharedWork<PushedBlob, LayerStatus>(),
  };
  const manifest: Transfers['manifest'] = async (reference, access, signal) => {
    try {
      return await registry.repository(reference, access, 'pull').manifest(reference, signal);
    } catch (error) {
      throw pullError(error, reference);
    }
  };
  return {
    pull: (request, call) => pull(pullParts, request, call),
    push: (request, call) => push(pushParts, request, call),
    describe: async (reference, access, signal) => {
      const found = await manifest(reference, access, signal);
      const repository = registry.repository(reference, access, 'pull');
      return describeRemote(found, (digest) => repository.blob(digest, { signal }));
    },
    manifest,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([layers.idle(), pushParts.shared.idle()]);
    },
  };
}
