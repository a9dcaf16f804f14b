import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { algorithms } from '../../content-digest.ts';
import type { UpkeepStorage } from '../storage.ts';
import { entriesOf, orMissing, removeFile, statFile, writeTemporary } from './durable.ts';
import type { FileLocks } from './file-locks.ts';
import type { Paths } from './paths.ts';
import { guardLock } from './shelf.ts';

/** A temporary file lives for moments; one this old was left by a crash. */
const oldTemporaryMs = 24 * 3_600_000;

export class LocalUpkeep implements UpkeepStorage {
  readonly #paths: Paths;
  readonly #locks: FileLocks;

  constructor(paths: Paths, locks: FileLocks) {
    this.#paths = paths;
    this.#locks = locks;
  }

  async *repositories(): AsyncGenerator<string> {
    yield* this.#repositoriesBelow('');
  }

  beginCollection(): Promise<AsyncDisposable | undefined> {
    return this.#locks.tryAcquire('collection');
  }

  async sweep(unusedSinceMs: number, options: { readonly dryRun?: boolean } = {}) {
    const dryRun = options.dryRun ?? false;
    let blobs = 0;
    let bytes = 0;
    for (const algorithm of algorithms) {
      const directory = join(this.#paths.blobs, algorithm);
      for await (const name of entriesOf(directory)) {
        const size = await this.#sweepOne(join(directory, name), unusedSinceMs, dryRun);
        if (size === undefined) continue;
        blobs += 1;
        bytes += size;
      }
    }
    if (!dryRun) await this.#dropOldTemporaries();
    return { blobs, bytes };
  }

  async check(): Promise<void> {
    await rm(await writeTemporary(this.#paths.temporary, 'check'));
  }

  async *#repositoriesBelow(prefix: string): AsyncGenerator<string> {
    const directory = join(this.#paths.repositories, prefix);
    const entries = (await orMissing(readdir(directory, { withFileTypes: true }))) ?? [];
    const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    if (prefix !== '' && names.some((name) => name.startsWith('_'))) yield prefix;
    for (const name of names.filter((one) => !one.startsWith('_')).sort()) {
      yield* this.#repositoriesBelow(prefix === '' ? name : `${prefix}/${name}`);
    }
  }

  async #sweepOne(path: string, unusedSinceMs: number, dryRun: boolean): Promise<number | undefined> {
    const isUnused = async () => {
      const file = await statFile(path);
      return file !== undefined && file.nlink === 1 && file.mtimeMs <= unusedSinceMs ? file.size : undefined;
    };
    const size = await isUnused();
    if (size === undefined || dryRun) return size;
    await using _guard = await this.#locks.acquire(guardLock, 'exclusive');
    const now = await isUnused();
    if (now !== undefined) await removeFile(path);
    return now;
  }

  async #dropOldTemporaries(): Promise<void> {
    for await (const name of entriesOf(this.#paths.temporary)) {
      const path = join(this.#paths.temporary, name);
      const file = await statFile(path);
      if (file !== undefined && file.mtimeMs < Date.now() - oldTemporaryMs) await rm(path, { force: true });
    }
  }
}
