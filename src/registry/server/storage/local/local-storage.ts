import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EngineError } from '../../../../errors/index.ts';
import type { ContentDigest } from '../../content-digest.ts';
import type {
  BlobStorage,
  ByteRange,
  ContentInfo,
  DeleteCondition,
  Quota,
  RegistryStorage,
} from '../storage.ts';
import { makeDirectory, placeFile, statFile } from './durable.ts';
import { FileLocks } from './file-locks.ts';
import { LocalManifests } from './manifests.ts';
import { Paths } from './paths.ts';
import { ContentShelf, Quotas } from './shelf.ts';
import { LocalTags } from './tags.ts';
import { LocalUpkeep } from './upkeep.ts';
import { LocalUploads } from './uploads.ts';

/** Bytes read from a blob at a time: with more, many clients at once take much memory for little speed. */
const readChunk = 64 << 10;

/** Opens (and makes) the storage of a registry in a directory; see `Paths` for what lies where. */
export async function openLocalStorage(options: { readonly root: string }): Promise<RegistryStorage> {
  const paths = new Paths(resolve(options.root));
  for (const directory of [join(paths.blobs, 'sha256'), paths.repositories, paths.uploads]) {
    await makeDirectory(directory);
  }
  for (const directory of [paths.temporary, paths.locks]) await mkdir(directory, { recursive: true });
  const layout: Readonly<Record<string, string>> = {
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': '{"schemaVersion":2,"manifests":[]}',
  };
  for (const [name, content] of Object.entries(layout)) {
    const path = join(paths.root, name);
    if ((await statFile(path)) === undefined) await placeFile(paths.temporary, path, content);
  }
  const locks = new FileLocks(paths.locks);
  const blobs = new ContentShelf(paths, locks, 'blobs');
  const manifests = new ContentShelf(paths, locks, 'manifests');
  const quotas = new Quotas(locks, [blobs, manifests]);
  return {
    blobs: new LocalBlobs(blobs, quotas),
    uploads: new LocalUploads(paths, async (repository, content, quota) => {
      const there = await blobs.info(repository, content.digest);
      const added = there === undefined ? content.size : 0;
      await quotas.within(repository, added, quota, () => blobs.adopt(repository, content));
    }),
    manifests: new LocalManifests(paths, manifests, quotas),
    tags: new LocalTags(paths, locks),
    upkeep: new LocalUpkeep(paths, locks),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

class LocalBlobs implements BlobStorage {
  readonly #shelf: ContentShelf;
  readonly #quotas: Quotas;

  constructor(shelf: ContentShelf, quotas: Quotas) {
    this.#shelf = shelf;
    this.#quotas = quotas;
  }

  info(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined> {
    return this.#shelf.info(repository, digest);
  }

  use(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined> {
    return this.#shelf.use(repository, digest);
  }

  async open(repository: string, digest: ContentDigest, range?: ByteRange) {
    const file = await this.#shelf.openFile(repository, digest);
    if (file === undefined) throw new EngineError('notFound', `blob ${digest} is not in ${repository}`);
    return file.createReadStream({ ...range, highWaterMark: readChunk });
  }

  async mount(digest: ContentDigest, from: string, to: string, quota?: Quota): Promise<boolean> {
    const source = await this.#shelf.use(from, digest);
    if (source === undefined) return false;
    if ((await this.#shelf.use(to, digest)) !== undefined) return true;
    return this.#quotas.within(to, source.size, quota, () => this.#shelf.share(digest, from, to));
  }

  delete(repository: string, digest: ContentDigest, condition?: DeleteCondition): Promise<boolean> {
    return this.#shelf.delete(repository, digest, condition);
  }

  list(repository: string): AsyncIterable<ContentInfo> {
    return this.#shelf.list(repository);
  }
}
