import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../../../../lib/missing-files.ts';
import { type ContentDigest, isContentDigest } from '../../content-digest.ts';
import type { DeleteCondition, Tag, TagStorage } from '../storage.ts';
import { orMissing, placeFile, removeFile, statFile } from './durable.ts';
import type { FileLocks } from './file-locks.ts';
import type { Paths } from './paths.ts';
import { guardLock } from './shelf.ts';

/** A tag is a file that holds a digest. */
export class LocalTags implements TagStorage {
  readonly #paths: Paths;
  readonly #locks: FileLocks;

  constructor(paths: Paths, locks: FileLocks) {
    this.#paths = paths;
    this.#locks = locks;
  }

  async get(repository: string, name: string): Promise<Tag | undefined> {
    const path = this.#path(repository, name);
    const [text, file] = await Promise.all([orMissing(readFile(path, 'utf8')), statFile(path)]);
    const digest = text?.trim();
    if (file === undefined || digest === undefined || !isContentDigest(digest)) return undefined;
    return { name, digest, setMs: file.mtimeMs };
  }

  async set(repository: string, name: string, digest: ContentDigest): Promise<void> {
    await using _guard = await this.#locks.acquire(guardLock, 'shared');
    await placeFile(this.#paths.temporary, this.#path(repository, name), `${digest}\n`);
  }

  async delete(repository: string, name: string, { unusedSinceMs }: DeleteCondition = {}): Promise<boolean> {
    const path = this.#path(repository, name);
    if (unusedSinceMs === undefined) return removeFile(path);
    await using _guard = await this.#locks.acquire(guardLock, 'exclusive');
    const file = await statFile(path);
    return file !== undefined && file.mtimeMs <= unusedSinceMs && (await removeFile(path));
  }

  async names(repository: string): Promise<readonly string[] | undefined> {
    const names = await namesIn(this.#paths.tags(repository));
    if (names.length > 0) return names.sort();
    return (await statFile(this.#paths.shelf(repository, 'manifests'))) === undefined ? undefined : [];
  }

  #path(repository: string, name: string): string {
    return join(this.#paths.tags(repository), name);
  }
}
