import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../../../errors/index.ts';
import { tryLock } from '../../../../lib/native.ts';

const retryMs = 2;
const patienceMs = 30_000;

/** Locks that hold between processes (flock on files of one directory) and end with the process. */
export class FileLocks {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Waits for the lock; it is meant to be held for milliseconds. Rejects with `unavailable` after half a minute. */
  async acquire(name: string, kind: 'shared' | 'exclusive', signal?: AbortSignal): Promise<AsyncDisposable> {
    const file = await this.#open(name);
    try {
      for (const start = Date.now(); !tryLock(file.fd, kind); ) {
        if (Date.now() - start > patienceMs) {
          throw new EngineError(
            'unavailable',
            `Cannot lock ${name} of the storage: another process holds it`,
          );
        }
        await sleep(retryMs, undefined, { signal });
      }
    } catch (error) {
      await file.close();
      throw error;
    }
    return closing(file);
  }

  /** The exclusive lock, or undefined while another holds it. */
  async tryAcquire(name: string): Promise<AsyncDisposable | undefined> {
    const file = await this.#open(name);
    if (tryLock(file.fd)) return closing(file);
    await file.close();
    return undefined;
  }

  #open(name: string): Promise<FileHandle> {
    return open(join(this.#directory, name), 'a', 0o600);
  }
}

function closing(file: FileHandle): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => file.close() };
}
