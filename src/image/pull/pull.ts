import type { ProgressMessage } from '../../api/index.ts';
import type { ContentStore } from '../../content/index.ts';
import { isCode, messageOf } from '../../errors/index.ts';
import { shortId } from '../../lib/ids.ts';
import type { Resource } from '../../metadata/index.ts';
import {
  chainIdsOf,
  type Digest,
  familiarName,
  familiarString,
  hostPlatform,
  type Platform,
  platformMatches,
  type Reference,
} from '../../oci/index.ts';
import {
  type Access,
  failureOf,
  type RegistryClient,
  type RemoteRepository,
  retrying,
} from '../../registry/index.ts';
import { otherPlatform } from '../assert-platform.ts';
import type { Image, Images, Naming } from '../images.ts';
import { layerMessage } from '../transfer-progress.ts';
import type { KeptLeases } from './kept-leases.ts';
import type { LayerPulls, LayerStack } from './layer-pulls.ts';
import { pullError } from './pull-error.ts';
import { type ResolvedRemote, resolveRemote } from './resolve-remote.ts';

export interface PullRequest {
  /** With a digest or a tag; with neither, all tags. */
  readonly reference: Reference;
  readonly platform?: Platform;
  readonly access: Access;
}

export interface PullParts {
  readonly images: Images;
  readonly content: ContentStore;
  readonly registry: RegistryClient;
  readonly kept: KeptLeases;
  readonly layers: LayerPulls;
}

type Tell = (message: ProgressMessage) => void;

/** `docker pull`. The first message comes when the registry has told what the reference is. */
export async function pull(
  parts: PullParts,
  request: PullRequest,
  { onProgress, signal }: { readonly onProgress: Tell; readonly signal: AbortSignal },
): Promise<void> {
  const { reference, access } = request;
  const repository = parts.registry.repository(reference, access, 'pull');
  let downloaded = false;
  const one = async (named: Reference) => {
    const pulled = await pullOne(parts, { ...request, reference: named, repository }, { onProgress, signal });
    downloaded ||= pulled.isNew;
    warnOfPlatform(onProgress, { image: pulled.image, reference: named, platform: request.platform });
  };
  try {
    if (reference.tag !== undefined || reference.digest !== undefined) await one(reference);
    else for await (const tag of repository.tags(signal)) await one({ ...reference, tag });
  } catch (error) {
    throw pullError(error, reference);
  }
  const what = familiarString(reference);
  onProgress({
    status: downloaded
      ? `Status: Downloaded newer image for ${what}`
      : `Status: Image is up to date for ${what}`,
  });
}

interface Pulled {
  readonly image: Image;
  /** Whether the name means another image now, or a part of it was brought. */
  readonly isNew: boolean;
}

interface OnePull extends PullRequest {
  readonly repository: RemoteRepository;
}

async function pullOne(
  parts: PullParts,
  request: OnePull,
  { onProgress, signal }: { readonly onProgress: Tell; readonly signal: AbortSignal },
): Promise<Pulled> {
  const { reference, repository, platform } = request;
  const { images, content } = parts;
  const digest = await patiently(signal, () => repository.resolve(reference, signal));
  const naming = (image: Pick<Image, 'config'>): Naming => ({
    names: namesOf(reference, digest),
    event: {
      type: 'image',
      action: 'pull',
      id: familiarString(reference),
      attributes: { ...image.config.config?.Labels, name: familiarName(reference) },
    },
  });
  const [first = reference] = namesOf(reference, digest);
  const before = images.named(first);
  const known = images.named({ domain: reference.domain, path: reference.path, digest });
  const begin = () => {
    onProgress({ status: `Pulling from ${reference.path}`, id: reference.digest ?? reference.tag ?? '' });
  };
  const end = () => {
    onProgress({ status: `Digest: ${digest}` });
  };
  // The digest may be an index, of which the image here is another platform's.
  const fits = known !== undefined && platformMatches(platform ?? hostPlatform(), known.config);
  if (fits && (await isWhole(parts, known)) && images.find(known.id) !== undefined) {
    begin();
    images.rename(known.id, naming(known));
    end();
    return { image: known, isNew: before?.id !== known.id };
  }
  const lookup = { repository, content, reference, digest, platform, signal };
  const remote = await patiently(signal, () => resolveRemote(lookup)).catch((error: unknown) => {
    // What the registry has is known by now; that none of it fits is the pull's own failure.
    if (isCode(error, 'notFound') && messageOf(error).startsWith('no matching manifest')) begin();
    throw error;
  });
  begin();
  const { image, broughtLayers } = await bring(
    parts,
    { remote, repository, naming: naming({ config: remote.parsed }) },
    { onProgress, signal },
  );
  end();
  return { image, isNew: broughtLayers || before?.id !== image.id };
}

/** Whether all of an image is here: a power loss, or a repair of the store, may have taken parts. */
async function isWhole({ images, content, layers }: PullParts, image: Image): Promise<boolean> {
  const chainIds = chainIdsOf(image.config.rootfs.diff_ids);
  const stack = { layers: images.layersOf(image.id), chainIds };
  for (const digest of [image.id, image.manifest]) {
    if ((await content.info(digest)) === undefined) return false;
  }
  for (const index of chainIds.keys()) if (!(await layers.has(stack, index))) return false;
  return true;
}

/** A registry in trouble is asked again; one that is not there, or refuses, is not. */
function patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return retrying(signal, work, { isFinal: (error) => failureOf(error) === undefined });
}

interface Bring {
  readonly remote: ResolvedRemote;
  readonly repository: RemoteRepository;
  readonly naming: Naming;
}

/** Brings all layers side by side, then makes the image. Interrupted, what has come stays for the next try. */
async function bring(
  parts: PullParts,
  { remote, repository, naming }: Bring,
  { onProgress, signal }: { readonly onProgress: Tell; readonly signal: AbortSignal },
): Promise<{ readonly image: Image; readonly broughtLayers: boolean }> {
  const { content, kept, images } = parts;
  const diffIds = remote.parsed.rootfs.diff_ids;
  const stack: LayerStack = { repository, layers: remote.layers, diffIds, chainIds: chainIdsOf(diffIds) };
  const held = kept.acquire(remote.manifest.digest, resourcesOf(remote, stack));
  try {
    for (const { bytes } of new Set([remote.top, remote.manifest, remote.config])) await content.put(bytes);
    const broughtLayers = await bringLayers(parts.layers, stack, { onProgress, signal });
    const image = await images.adopt(
      { configBytes: remote.config.bytes, manifestBytes: remote.manifest.bytes, layers: remote.layers },
      naming,
      held.lease,
    );
    held.end(true);
    return { image, broughtLayers };
  } catch (error) {
    const interrupted = signal.aborted || isCode(error, 'unavailable') || isCode(error, 'cancelled');
    held.end(!interrupted);
    if (!interrupted) await images.collectGarbage();
    throw error;
  }
}

/** Whether any was missing. */
async function bringLayers(
  layers: LayerPulls,
  stack: LayerStack,
  { onProgress, signal }: { readonly onProgress: Tell; readonly signal: AbortSignal },
): Promise<boolean> {
  const stop = new AbortController();
  const together = AbortSignal.any([signal, stop.signal]);
  const missing: number[] = [];
  for (const [index, { digest }] of stack.layers.entries()) {
    const there = await layers.has(stack, index);
    if (!there) missing.push(index);
    onProgress(layerMessage(shortId(digest), { status: there ? 'Already exists' : 'Pulling fs layer' }));
  }
  const bringing = missing.map(async (index) => {
    const id = shortId(stack.layers[index]?.digest ?? '');
    try {
      await layers.bring(stack, index, {
        listener: (status) => onProgress(layerMessage(id, status)),
        signal: together,
      });
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  // All have come to an end before the failure is told.
  await Promise.allSettled(bringing);
  signal.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  return missing.length > 0;
}

function resourcesOf(
  { top, manifest, config, layers }: ResolvedRemote,
  { chainIds }: LayerStack,
): Resource[] {
  const blobs = [top, manifest, config, ...layers].map(({ digest }) => ({
    kind: 'blob' as const,
    id: digest,
  }));
  return [...blobs, ...chainIds.map((id) => ({ kind: 'snapshot' as const, id }))];
}

/** A pull by tag gives the image the digest as a second name. */
function namesOf({ domain, path, tag, digest: pinned }: Reference, digest: Digest): Reference[] {
  const byDigest = { domain, path, digest };
  return tag === undefined || pinned !== undefined ? [byDigest] : [{ domain, path, tag }, byDigest];
}

function warnOfPlatform(
  tell: Tell,
  {
    image,
    reference,
    platform,
  }: { readonly image: Image; readonly reference: Reference; readonly platform: Platform | undefined },
): void {
  if (platform === undefined || platformMatches(platform, image.config)) return;
  tell({
    status: `WARNING: ${otherPlatform(image.config, familiarString(reference), [platform])}`,
  });
}
