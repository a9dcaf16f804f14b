import { Readable } from 'node:stream';
import type { ContentStore } from '../../content/index.ts';
import { byteString, encodeTarEntry, paddingOf, tarEnd } from '../../lib/tar/index.ts';
import {
  canonicalString,
  type Digest,
  familiarName,
  familiarString,
  hexOf,
  MediaType,
  parseManifest,
  parseReference,
  type Reference,
} from '../../oci/index.ts';
import { assertPlatform } from '../assert-platform.ts';
import { recordImage } from '../image-events.ts';
import type { ImageParts } from '../image-parts.ts';
import type { ImageRow } from '../image-rows.ts';
import type { SaveOptions } from '../images.ts';
import { resolveImage } from '../resolve-image.ts';
import { type Delta, deltaFile } from './delta.ts';

interface SavedImage {
  readonly image: ImageRow;
  readonly tags: Reference[];
}

interface Blob {
  readonly digest: Digest;
  readonly size: number;
}

interface KnownImage {
  readonly name: string;
  readonly image: ImageRow;
}

/**
 * `docker save`: a tar that is an OCI layout and a docker archive. What names the layers stands before them, so that
 * a reader can unpack as it reads. Equal images give equal bytes: times are zero, each blob is in it once.
 * With `since`, layers that those images have are left out.
 */
export async function saveImages(
  parts: ImageParts,
  names: readonly string[],
  { since = [], platforms = [], signal }: SaveOptions = {},
): Promise<Readable> {
  const images = select(parts, names);
  for (const { image, tags } of images) {
    const [name = image.id] = names.length === 1 ? names : tags.map(familiarString);
    assertPlatform(image.config, name, platforms);
  }
  const known = since.map((name) => ({ name, image: resolveImage(parts.rows, name).image }));
  const lease = parts.metadata.leases.acquire();
  try {
    for (const { image } of images) {
      const blobs = [image.id, image.manifest, ...image.layers.map(({ digest }) => digest)];
      lease.add(...blobs.map((id) => ({ kind: 'blob' as const, id })));
    }
    const plan = withoutKnown(await planSave(parts.content, images), known);
    parts.metadata.transact((transaction) => {
      for (const { image } of images) {
        recordImage(transaction, 'save', image);
      }
    });
    const archive = Readable.from(write(parts.content, plan), {
      objectMode: false,
      highWaterMark: 1 << 20,
      ...(signal === undefined ? {} : { signal }),
    });
    archive.once('close', () => {
      lease[Symbol.dispose]();
    });
    return archive;
  } catch (error) {
    lease[Symbol.dispose]();
    throw error;
  }
}

/** Leaves out the layers that other images have, and says so in the archive. */
function withoutKnown(plan: SavePlan, known: readonly KnownImage[]): SavePlan {
  if (known.length === 0) return plan;
  const there = new Set(known.flatMap(({ image }) => image.layers.map(({ digest }) => digest)));
  const omitted = plan.layers.filter(({ digest }) => there.has(digest));
  const delta: Delta = {
    since: known.map(({ name }) => name),
    omitted: omitted.map(({ digest, size }) => ({ digest, size })),
  };
  return {
    ...plan,
    files: [...plan.files, [deltaFile, JSON.stringify(delta)]],
    layers: plan.layers.filter(({ digest }) => !there.has(digest)),
  };
}

/** The images in the order asked for; a repository without a tag means all its tags, an id no name at all. */
function select({ rows }: ImageParts, names: readonly string[]): SavedImage[] {
  const images = new Map<string, SavedImage>();
  const add = (image: ImageRow, tag?: Reference) => {
    const saved = images.get(image.id) ?? { image, tags: [] };
    images.set(image.id, saved);
    if (tag?.tag === undefined) return;
    if (!saved.tags.some((one) => canonicalString(one) === canonicalString(tag))) saved.tags.push(tag);
  };
  for (const name of names) {
    const tags = isRepository(name) ? rows.tagsOf(parseReference(name)) : [];
    for (const { reference, id } of tags) add(resolveImage(rows, id).image, reference);
    if (tags.length > 0) continue;
    const { image, reference } = resolveImage(rows, name);
    add(image, reference);
  }
  return [...images.values()];
}

function isRepository(name: string): boolean {
  return !/[:@][^/]*$/.test(name) && !/^[0-9a-f]{64}$/.test(name);
}

interface SavePlan {
  readonly files: readonly (readonly [string, string])[];
  /** Manifests and configs. */
  readonly small: readonly Blob[];
  readonly layers: readonly Blob[];
}

async function planSave(content: ContentStore, images: readonly SavedImage[]): Promise<SavePlan> {
  const manifests: object[] = [];
  const items: object[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  const small = new Map<Digest, Blob>();
  const layers = new Map<Digest, Blob>();
  for (const { image, tags } of images) {
    const blobs = await Promise.all([image.manifest, image.id].map(async (digest) => sized(content, digest)));
    for (const blob of blobs) small.set(blob.digest, blob);
    for (const layer of image.layers) layers.set(layer.digest, layer);
    const { os, architecture, variant } = image.config;
    const descriptor = {
      mediaType: await manifestType(content, image.manifest),
      digest: image.manifest,
      size: blobs[0]?.size,
      platform: { architecture, os, ...(variant === undefined ? {} : { variant }) },
    };
    if (tags.length === 0) manifests.push(descriptor);
    for (const tag of tags) {
      const annotations = {
        'io.containerd.image.name': canonicalString(tag),
        'org.opencontainers.image.ref.name': tag.tag,
      };
      manifests.push({ ...descriptor, annotations });
      const top = image.layers.at(-1)?.digest ?? image.id;
      const repository = (repositories[familiarName(tag)] ??= {});
      if (tag.tag !== undefined) repository[tag.tag] = hexOf(top);
    }
    items.push({
      Config: pathOf(image.id),
      RepoTags: tags.length === 0 ? null : tags.map(familiarString),
      Layers: image.layers.map(({ digest }) => pathOf(digest)),
      LayerSources: Object.fromEntries(
        image.config.rootfs.diff_ids.map((diffId, index) => [diffId, image.layers[index]]),
      ),
    });
  }
  const files: [string, string][] = [
    ['oci-layout', '{"imageLayoutVersion":"1.0.0"}'],
    ['index.json', JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests })],
    ['manifest.json', JSON.stringify(items)],
  ];
  if (Object.keys(repositories).length > 0) files.push(['repositories', JSON.stringify(repositories)]);
  return { files, small: [...small.values()], layers: [...layers.values()] };
}

async function* write(content: ContentStore, { files, small, layers }: SavePlan): AsyncGenerator<Buffer> {
  for (const [name, text] of files) {
    const bytes = Buffer.from(text);
    yield Buffer.concat([header(name, bytes.length), bytes, Buffer.alloc(paddingOf(bytes.length))]);
  }
  for (const directory of ['blobs/', 'blobs/sha256/']) {
    yield encodeTarEntry({ path: byteString(directory), type: 'directory' });
  }
  for (const { digest, size } of [...small, ...layers]) {
    yield header(pathOf(digest), size);
    for await (const chunk of await content.open(digest)) yield chunk as Buffer;
    const padding = paddingOf(size);
    if (padding > 0) yield Buffer.alloc(padding);
  }
  yield tarEnd;
}

function header(path: string, size: number): Buffer {
  return encodeTarEntry({ path: byteString(path), type: 'file', size });
}

function pathOf(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

async function sized(content: ContentStore, digest: Digest): Promise<Blob> {
  return (await content.info(digest)) ?? { digest, size: (await content.read(digest)).length };
}

async function manifestType(content: ContentStore, digest: Digest): Promise<string> {
  return parseManifest(await content.read(digest)).mediaType ?? MediaType.ociManifest;
}
