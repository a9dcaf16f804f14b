import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, open, rename, rm, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EngineError, hasErrno } from '../../../../errors/index.ts';
import { syncDirectory } from '../../../../lib/replace-file.ts';
import { algorithms, type ContentDigest, contentDigestOf, isContentDigest } from '../../content-digest.ts';
import type { ContentInfo, DeleteCondition, Quota } from '../storage.ts';
import { entriesOf, inDirectory, orMissing, removeFile, statFile } from './durable.ts';
import type { FileLocks } from './file-locks.ts';
import type { Paths, Shelf } from './paths.ts';

/** The lock between marks of use (shared) and removals of the unused (exclusive). */
export const guardLock = 'guard';

/** A mark of use younger than this is not renewed: far less than any sensible time guard. */
const freshMs = 60_000;

/**
 * One kind of content of all repositories. A repository has content by a hard link to it: the link count tells whether
 * anybody has it, a link never points at nothing, and the file's time is when it was used last.
 */
export class ContentShelf {
  readonly #paths: Paths;
  readonly #locks: FileLocks;
  readonly #kind: Shelf;

  constructor(paths: Paths, locks: FileLocks, kind: Shelf) {
    this.#paths = paths;
    this.#locks = locks;
    this.#kind = kind;
  }

  path(repository: string, digest: ContentDigest): string {
    return this.#paths.shelved(repository, this.#kind, digest);
  }

  async info(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined> {
    const file = await statFile(this.path(repository, digest));
    return file === undefined ? undefined : { digest, size: file.size, usedMs: file.mtimeMs };
  }

  async use(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined> {
    const found = await this.info(repository, digest);
    if (found === undefined || found.usedMs > Date.now() - freshMs) return found;
    await using _guard = await this.#locks.acquire(guardLock, 'shared');
    return (await touch(this.path(repository, digest))) ? { ...found, usedMs: Date.now() } : undefined;
  }

  async openFile(repository: string, digest: ContentDigest) {
    return orMissing(open(this.path(repository, digest), 'r'));
  }

  /**
   * Gives the repository the synced file at `source`, or the same content where it is stored already; `source` is gone
   * or untouched afterwards.
   */
  async adopt(
    repository: string,
    content: { digest: ContentDigest; source: string; size: number },
  ): Promise<void> {
    const { digest, source, size } = content;
    const stored = this.#paths.content(digest);
    {
      await using _guard = await this.#locks.acquire(guardLock, 'shared');
      const there = await statFile(stored);
      if (there?.size !== size) await inDirectory(dirname(stored), () => rename(source, stored));
      await this.#hang(repository, digest, stored);
    }
    await syncDirectory(dirname(stored));
    await syncDirectory(dirname(this.path(repository, digest)));
  }

  /** Gives the repository content that another one has. */
  async share(digest: ContentDigest, from: string, to: string): Promise<boolean> {
    {
      await using _guard = await this.#locks.acquire(guardLock, 'shared');
      const source = this.path(from, digest);
      if ((await statFile(source)) === undefined) return false;
      await this.#hang(to, digest, source);
    }
    await syncDirectory(dirname(this.path(to, digest)));
    return true;
  }

  async delete(
    repository: string,
    digest: ContentDigest,
    { unusedSinceMs }: DeleteCondition = {},
  ): Promise<boolean> {
    const path = this.path(repository, digest);
    if (unusedSinceMs === undefined) return removeFile(path);
    await using _guard = await this.#locks.acquire(guardLock, 'exclusive');
    const file = await statFile(path);
    return file !== undefined && file.mtimeMs <= unusedSinceMs && (await removeFile(path));
  }

  async *list(repository: string): AsyncGenerator<ContentInfo> {
    for (const algorithm of algorithms) {
      for await (const name of entriesOf(join(this.#paths.shelf(repository, this.#kind), algorithm))) {
        const digest = `${algorithm}:${name}`;
        if (!isContentDigest(digest)) continue;
        const info = await this.info(repository, digest);
        if (info !== undefined) yield info;
      }
    }
  }

  /** Hard links `source`; a file with as many links as the file system allows, or one without links, is copied. */
  async #hang(repository: string, digest: ContentDigest, source: string): Promise<void> {
    const path = this.path(repository, digest);
    try {
      await inDirectory(dirname(path), () => link(source, path));
    } catch (error) {
      if (['EMLINK', 'EPERM', 'ENOTSUP', 'EXDEV'].some((errno) => hasErrno(error, errno))) {
        await this.#copy(source, path);
      } else if (!hasErrno(error, 'EEXIST')) throw error;
    }
    await touch(path);
  }

  async #copy(source: string, path: string): Promise<void> {
    const temporary = join(this.#paths.temporary, randomUUID());
    try {
      await copyFile(source, temporary, constants.COPYFILE_FICLONE);
      await using file = await open(temporary, 'r+');
      await file.sync();
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

/** Marks the file as used now; false if it is missing. */
async function touch(path: string): Promise<boolean> {
  const now = new Date();
  return (await orMissing(utimes(path, now, now).then(() => true))) ?? false;
}

/** Runs `add`, which makes a repository `bytes` larger, unless it would pass its quota. One at a time per repository. */
export class Quotas {
  readonly #locks: FileLocks;
  readonly #shelves: readonly ContentShelf[];

  constructor(locks: FileLocks, shelves: readonly ContentShelf[]) {
    this.#locks = locks;
    this.#shelves = shelves;
  }

  async within<T>(
    repository: string,
    bytes: number,
    quota: Quota | undefined,
    add: () => Promise<T>,
  ): Promise<T> {
    const limit = quota?.repositoryBytes;
    if (limit === undefined) return add();
    const name = `quota-${contentDigestOf(repository).slice(7, 31)}`;
    await using _turn = await this.#locks.acquire(name, 'exclusive');
    let held = 0;
    for (const shelf of this.#shelves) for await (const { size } of shelf.list(repository)) held += size;
    if (held + bytes > limit) {
      const text = `quota of repository ${repository} exceeded: it holds ${held} bytes, ${bytes} more pass the limit of ${limit}`;
      throw new EngineError('forbidden', text);
    }
    return await add();
  }
}
