import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { type ContentStore, openContentStore } from '../../src/content/index.ts';
import { createImages, type Image, type Images, type ImageUser } from '../../src/image/index.ts';
import { mount, unmount } from '../../src/lib/native.ts';
import { byteString, encodeTarEntry, paddingOf, tarEnd } from '../../src/lib/tar/index.ts';
import { type Metadata, openMetadata } from '../../src/metadata/index.ts';
import { chainIdsOf, type ImageConfig, MediaType } from '../../src/oci/index.ts';
import { type Layers, openSnapshots, type Snapshotter } from '../../src/snapshot/index.ts';

export interface ImageStore {
  readonly root: string;
  readonly metadata: Metadata;
  readonly content: ContentStore;
  readonly snapshots: Snapshotter;
  readonly layers: Layers;
  readonly images: Images;
  /** Containers as the images see them; a test pushes its own. */
  readonly users: ImageUser[];
}

/** What the database keeps for itself: its log, as much again while it is closed, and free pages. */
const databaseBytes = 14_200 << 10;

/**
 * Images over real stores in a directory of their own, gone after the test; with `diskBytes` on a disk that has room for
 * so much beside the database.
 */
export async function openImageStore(
  t: TestContext,
  { diskBytes }: { readonly diskBytes?: number } = {},
): Promise<ImageStore> {
  const root = await mkdtemp(join(tmpdir(), 'gantry-images-'));
  if (diskBytes !== undefined)
    mount({ source: 'tmpfs', target: root, type: 'tmpfs', data: `size=${diskBytes + databaseBytes}` });
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  stack.defer(async () => {
    if (diskBytes !== undefined) unmount(root);
    await rm(root, { recursive: true, force: true });
  });
  const metadata = stack.use(openMetadata(join(root, 'gantry.db')));
  const content = await openContentStore({ directory: join(root, 'content') });
  const opened = stack.use(await openSnapshots({ root, metadata }));
  const { snapshots, layers } = opened;
  const users: ImageUser[] = [];
  const images = stack.use(createImages({ metadata, content, snapshots, layers, users: () => users }));
  stack.defer(async () => {
    for (const key of snapshots.list().active) await snapshots.unmount(key);
  });
  return { root, metadata, content, snapshots, layers, images, users };
}

/** A tar of regular files with these contents. */
export function tarOf(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const parts = Object.entries(files).flatMap(([path, content]) => {
    const bytes = Buffer.from(content);
    const header = encodeTarEntry({ path: byteString(path), type: 'file', size: bytes.length });
    return [header, bytes, Buffer.alloc(paddingOf(bytes.length))];
  });
  return Buffer.concat([...parts, tarEnd]);
}

/** Bytes as a stream of chunks. */
export function streamOf(bytes: Uint8Array, chunk = 65_536): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
    })(),
    { objectMode: false },
  );
}

/** Imports a base image of one random file, so that no two are alike. */
export async function importBase(store: ImageStore, reference?: string): Promise<Image> {
  const tar = tarOf({ 'etc/base': randomBytes(2000) });
  return store.images.importRootfs(streamOf(tar), {
    changes: ['CMD ["sh"]'],
    ...(reference === undefined ? {} : { reference }),
  });
}

/** An image with one more layer, as a build step makes it. */
export async function addChild(
  store: ImageStore,
  parent: Image,
  change: Partial<ImageConfig> = {},
): Promise<Image> {
  const { content, layers, images, metadata } = store;
  using lease = metadata.leases.acquire();
  const tar = tarOf({ 'etc/child': randomBytes(1000) });
  const { digest, size } = await content.put(tar, lease);
  const [base = digest] = [parent.chainId];
  lease.add({ kind: 'snapshot', id: chainIdsOf([base, digest]).at(-1) ?? digest });
  await layers.apply(streamOf(tar), parent.chainId, { diffId: digest });
  return await images.add({
    config: {
      ...parent.config,
      created: new Date().toISOString(),
      ...change,
      rootfs: { type: 'layers', diff_ids: [...parent.config.rootfs.diff_ids, digest] },
      history: [...(parent.config.history ?? []), { created_by: 'child' }],
    },
    layers: [...images.layersOf(parent.id), { digest, size, mediaType: MediaType.ociLayer }],
    parent: parent.id,
  });
}
