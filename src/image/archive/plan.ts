import { EngineError, isCode } from '../../errors/index.ts';
import {
  type ChainId,
  chainIdsOf,
  type Descriptor,
  type Digest,
  digestOf,
  hexOf,
  hostPlatform,
  type ImageConfig,
  type Manifest,
  type Platform,
  parseImageConfig,
  parseIndex,
  parseManifestOrIndex,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../../oci/index.ts';
import type { ImageLayer } from '../images.ts';
import { PlatformChoice } from './platform-choice.ts';
import type { Spool } from './spool.ts';

/** One image of an archive, everything checked that can be without unpacking. */
export interface PlannedImage {
  readonly configBytes: Buffer;
  readonly config: ImageConfig;
  readonly layers: readonly ImageLayer[];
  readonly manifestBytes?: Buffer;
  readonly tags: readonly Reference[];
}

/** One entry of `manifest.json`. */
export interface ArchiveItem {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

/** A blob for each of these layers that an image here has. */
export type LayersHere = (chainIds: readonly ChainId[]) => readonly (ImageLayer | undefined)[];

const deepestIndex = 4;

/**
 * What an archive holds: by its `manifest.json` (docker), else its `index.json` (OCI); of an index the image for one
 * of the platforms, else for this host. A docker archive may lack the layers that are here. Throws `invalidArgument`,
 * and `notFound` naming the platforms there are when none of the images fits.
 */
export async function planLoad(
  spool: Spool,
  layersHere: LayersHere,
  platforms: readonly Platform[] = [],
): Promise<PlannedImage[]> {
  const choice = new PlatformChoice(platforms);
  if (spool.has('manifest.json')) return choice.made(await planDocker(spool, layersHere, choice));
  if (spool.has('index.json')) return choice.made(await planLayout(spool, choice));
  throw new EngineError(
    'invalidArgument',
    'invalid archive: neither manifest.json (docker archive) nor index.json (OCI layout) is in it',
  );
}

/** Parses `manifest.json`. Throws `invalidArgument`. */
export function parseArchiveManifest(bytes: Buffer): ArchiveItem[] {
  let items: unknown;
  try {
    items = JSON.parse(bytes.toString());
  } catch (error) {
    throw new EngineError('invalidArgument', 'invalid manifest.json: not JSON', { cause: error });
  }
  if (!Array.isArray(items)) throw new EngineError('invalidArgument', 'invalid manifest.json: not an array');
  return items.map((item: unknown) => {
    const { Config, RepoTags, Layers } = (item ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof Config !== 'string' || !isStrings(RepoTags ?? []) || !isStrings(Layers ?? [])) {
      throw new EngineError('invalidArgument', 'invalid manifest.json: bad Config, RepoTags or Layers');
    }
    return {
      config: Config,
      tags: (RepoTags ?? []) as readonly string[],
      layers: (Layers ?? []) as readonly string[],
    };
  });
}

async function planDocker(
  spool: Spool,
  layersHere: LayersHere,
  choice: PlatformChoice,
): Promise<PlannedImage[]> {
  const manifests = await manifestsByConfig(spool);
  const images: PlannedImage[] = [];
  for (const item of parseArchiveManifest(await spool.read('manifest.json'))) {
    const configBytes = await spool.read(item.config);
    const config = parseImageConfig(configBytes);
    if (!choice.takes(config)) continue;
    const isWhole = item.layers.every((path) => spool.hasBytes(path));
    const here = isWhole ? [] : layersHere(chainIdsOf(config.rootfs.diff_ids));
    const layers: ImageLayer[] = [];
    for (const [index, path] of item.layers.entries()) {
      // Spring Boot and buildpacks send an empty file for a layer that is here, others none: Docker does not look.
      const known = spool.hasBytes(path) ? undefined : here[index];
      layers.push(known ?? (await spool.layer(path)));
    }
    const manifestBytes = manifests.get(digestOf(configBytes))?.find((one) => hasLayers(one, layers))?.bytes;
    images.push(planned({ configBytes, layers, manifestBytes, tags: item.tags.map(parseTag) }));
  }
  return images;
}

interface KnownManifest {
  readonly bytes: Buffer;
  readonly manifest: Manifest;
}

/** Docker archives may be OCI layouts as well; their manifests are kept, so that a push gives the same digests. */
async function manifestsByConfig(spool: Spool): Promise<Map<Digest, KnownManifest[]>> {
  const found = new Map<Digest, KnownManifest[]>();
  if (!spool.has('index.json')) return found;
  for (const descriptor of parseIndex(await spool.read('index.json')).manifests) {
    if (!spool.has(pathOf(descriptor))) continue;
    const bytes = await spool.read(pathOf(descriptor));
    const parsed = parseManifestOrIndex(bytes);
    if (parsed.kind === 'index') continue;
    const { digest } = parsed.manifest.config;
    found.set(digest, [...(found.get(digest) ?? []), { bytes, manifest: parsed.manifest }]);
  }
  return found;
}

/** Docker's own archives list only foreign layers in the OCI manifest; such a one says nothing of ours. */
function hasLayers({ manifest }: KnownManifest, layers: readonly ImageLayer[]): boolean {
  return (
    manifest.layers.length === layers.length &&
    manifest.layers.every(({ digest }, index) => digest === layers[index]?.digest)
  );
}

async function planLayout(spool: Spool, choice: PlatformChoice): Promise<PlannedImage[]> {
  const images = new Map<Digest, PlannedImage>();
  for (const descriptor of parseIndex(await spool.read('index.json')).manifests) {
    const found = await manifestOf(spool, descriptor, { choice, depth: 0 });
    if (found === undefined) continue;
    const name = tagOf(descriptor);
    const tags = name === undefined ? [] : [name];
    const key = digestOf(found.bytes);
    const known = images.get(key);
    if (known !== undefined) {
      images.set(key, { ...known, tags: [...known.tags, ...tags] });
      continue;
    }
    const { manifest } = found;
    const configBytes = await spool.read(pathOf(manifest.config));
    if (!choice.takes(parseImageConfig(configBytes))) continue;
    const layers: ImageLayer[] = [];
    for (const layer of manifest.layers) {
      const { digest, size } = await spool.layer(pathOf(layer));
      if (size !== layer.size) {
        throw new EngineError('invalidArgument', `layer ${digest} is ${size} bytes, expected ${layer.size}`);
      }
      layers.push({ digest, size, mediaType: layer.mediaType });
    }
    images.set(key, planned({ configBytes, layers, manifestBytes: found.bytes, tags }));
  }
  return [...images.values()];
}

/** The manifest a descriptor leads to: itself, or through indexes the one for a wanted platform. */
async function manifestOf(
  spool: Spool,
  descriptor: Descriptor,
  { choice, depth }: { readonly choice: PlatformChoice; readonly depth: number },
): Promise<KnownManifest | undefined> {
  const path = pathOf(descriptor);
  const bytes = await spool.read(path);
  const parsed = parseManifestOrIndex(bytes);
  if (parsed.kind === 'manifest') return { bytes, manifest: parsed.manifest };
  if (depth >= deepestIndex) throw new EngineError('invalidArgument', 'invalid archive: indexes too deep');
  // An archive may carry fewer platforms than its index lists.
  const there = parsed.index.manifests.filter((one) => spool.has(pathOf(one)));
  const wanted = choice.among(there);
  return wanted === undefined ? undefined : manifestOf(spool, wanted, { choice, depth: depth + 1 });
}

function planned(image: {
  readonly configBytes: Buffer;
  readonly layers: readonly ImageLayer[];
  readonly manifestBytes: Buffer | undefined;
  readonly tags: readonly Reference[];
}): PlannedImage {
  const { configBytes, layers, manifestBytes, tags } = image;
  const config = parseImageConfig(configBytes);
  if (config.os !== hostPlatform().os) {
    throw new EngineError('invalidArgument', `cannot load ${config.os} image on ${hostPlatform().os}`);
  }
  const expected = config.rootfs.diff_ids.length;
  if (expected !== layers.length) {
    throw new EngineError(
      'invalidArgument',
      `invalid manifest, layers length mismatch: expected ${layers.length}, got ${expected}`,
    );
  }
  return { configBytes, config, layers, tags, ...(manifestBytes === undefined ? {} : { manifestBytes }) };
}

/** containerd's annotation has the whole name; the OCI one has it too (skopeo), or only a tag (docker), or any text. */
function tagOf({ annotations }: Descriptor): Reference | undefined {
  const name = annotations?.['io.containerd.image.name'];
  if (name !== undefined) return parseTag(name);
  const refName = annotations?.['org.opencontainers.image.ref.name'];
  if (refName === undefined || !/[:/]/.test(refName)) return undefined;
  try {
    const reference = withDefaultTag(parseReference(refName));
    return reference.digest === undefined ? reference : undefined;
  } catch (error) {
    if (isCode(error, 'invalidArgument')) return undefined;
    throw error;
  }
}

function parseTag(text: string): Reference {
  const reference = parseReference(text);
  if (reference.tag === undefined || reference.digest !== undefined) {
    throw new EngineError('invalidArgument', `invalid tag ${JSON.stringify(text)}`);
  }
  return reference;
}

function pathOf({ digest }: Descriptor): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
