import { buffer } from 'node:stream/consumers';
import type { ContentStore } from '../../content/index.ts';
import { EngineError, isCode } from '../../errors/index.ts';
import {
  type Descriptor,
  type Digest,
  digestOf,
  hostPlatform,
  type ImageConfig,
  type Manifest,
  MediaType,
  type Platform,
  parseImageConfig,
  parseManifestOrIndex,
  type Reference,
} from '../../oci/index.ts';
import type { RemoteRepository } from '../../registry/index.ts';
import type { ImageLayer } from '../images.ts';
import { chooseManifest } from './choose-manifest.ts';

/** A document as it came. */
export interface Document {
  readonly digest: Digest;
  readonly bytes: Buffer;
}

/** An image in a registry, all but its layers. */
export interface ResolvedRemote {
  /** What the tag points at: the manifest, or the index it was chosen from. */
  readonly top: Document;
  readonly manifest: Document;
  readonly config: Document;
  readonly parsed: ImageConfig;
  readonly layers: readonly ImageLayer[];
}

export interface Lookup {
  readonly repository: RemoteRepository;
  readonly content: ContentStore;
  readonly reference: Reference;
  /** What the registry says the tag points at; a digest it has not confirmed is asked for. */
  readonly digest: Digest;
  readonly platform: Platform | undefined;
  readonly signal: AbortSignal;
}

const largestConfig = 8 << 20;
const deepestIndex = 4;
const configTypes: ReadonlySet<string> = new Set([
  MediaType.ociConfig,
  MediaType.dockerConfig,
  'application/octet-stream',
  '',
]);
const layerTypes: ReadonlySet<string> = new Set([
  MediaType.ociLayer,
  MediaType.ociLayerGzip,
  MediaType.ociLayerZstd,
  MediaType.dockerLayer,
  MediaType.dockerLayerGzip,
  'application/vnd.docker.image.rootfs.diff.tar.zstd',
]);

/** Gets manifest and config, through indexes the one for the platform. `invalidArgument` for what is no image. */
export async function resolveRemote(lookup: Lookup): Promise<ResolvedRemote> {
  const { repository, reference, signal } = lookup;
  // That a blob is here does not say that this repository has it.
  const top =
    reference.digest === undefined
      ? await documentOf(lookup, lookup.digest)
      : await repository.manifest(reference, signal);
  const { manifest, document } = await manifestIn(lookup, top, 0);
  checkTypes(manifest);
  const config = await configOf(lookup, manifest.config);
  const parsed = parseImageConfig(config.bytes);
  const host = hostPlatform();
  if (parsed.os !== host.os) {
    throw new EngineError(
      'invalidArgument',
      `image operating system ${JSON.stringify(parsed.os)} cannot be used on this platform: operating system is not supported`,
    );
  }
  const [expected, got] = [manifest.layers.length, parsed.rootfs.diff_ids.length];
  if (expected !== got) {
    throw new EngineError(
      'invalidArgument',
      `invalid manifest, layers length mismatch: expected ${expected}, got ${got}`,
    );
  }
  const layers = manifest.layers.map(({ digest, size, mediaType }) => ({ digest, size, mediaType }));
  return { top, manifest: document, config, parsed, layers };
}

async function manifestIn(
  lookup: Lookup,
  document: Document,
  depth: number,
): Promise<{ readonly manifest: Manifest; readonly document: Document }> {
  const parsed = parseManifestOrIndex(document.bytes);
  if (parsed.kind === 'manifest') return { manifest: parsed.manifest, document };
  if (depth >= deepestIndex) throw new EngineError('invalidArgument', 'invalid index: indexes too deep');
  const chosen = chooseManifest(parsed.index, lookup.platform ?? hostPlatform());
  return manifestIn(lookup, await documentOf(lookup, chosen.digest), depth + 1);
}

/** From the store if it is there: registries count every manifest they are asked for. */
async function documentOf(
  { content, repository, reference, signal }: Lookup,
  digest: Digest,
): Promise<Document> {
  const stored = await storedDocument(content, digest);
  if (stored !== undefined) return stored;
  const { domain, path } = reference;
  const { bytes } = await repository.manifest({ domain, path, digest }, signal);
  return { digest, bytes };
}

async function configOf(lookup: Lookup, descriptor: Descriptor): Promise<Document> {
  const { digest, size } = descriptor;
  if (size > largestConfig) {
    throw new EngineError(
      'invalidArgument',
      `image config ${digest} is ${size} bytes, over ${largestConfig}`,
    );
  }
  const stored = await storedDocument(lookup.content, digest);
  if (stored !== undefined) return stored;
  const { stream } = await lookup.repository.blob(digest, { signal: lookup.signal });
  const bytes = await buffer(limited(stream as AsyncIterable<Buffer>, size));
  if (digestOf(bytes) !== digest) {
    throw new EngineError('invalidArgument', `image config verification failed for digest ${digest}`);
  }
  return { digest, bytes };
}

async function* limited(stream: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let left = size;
  for await (const chunk of stream) {
    left -= chunk.length;
    if (left < 0) throw new EngineError('invalidArgument', `image config is over its ${size} bytes`);
    yield chunk;
  }
}

async function storedDocument(content: ContentStore, digest: Digest): Promise<Document | undefined> {
  try {
    return { digest, bytes: await content.read(digest, { maxBytes: largestConfig }) };
  } catch (error) {
    if (isCode(error, 'notFound')) return undefined;
    throw error;
  }
}

function checkTypes({ config, layers }: Manifest): void {
  if (!configTypes.has(config.mediaType)) {
    throw new EngineError(
      'invalidArgument',
      `Encountered remote ${JSON.stringify(config.mediaType)}(unknown) when fetching`,
    );
  }
  for (const { mediaType, digest } of layers) {
    if (layerTypes.has(mediaType)) continue;
    throw new EngineError(
      'invalidArgument',
      `unsupported media type ${JSON.stringify(mediaType)} of layer ${digest}`,
    );
  }
}
