import { createHash, type Hash, randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../../../errors/index.ts';
import { tryLock } from '../../../../lib/native.ts';
import { type Algorithm, isAlgorithm } from '../../content-digest.ts';
import type { UploadStatus, UploadStorage, UploadWriter } from '../storage.ts';
import { orMissing, statFile } from './durable.ts';
import type { Paths } from './paths.ts';
import { LocalUploadWriter, type Publisher } from './upload-writer.ts';

const idPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A writer whose client has just gone gives its upload back within moments. */
const takeOverMs = 3_000;
const retryMs = 20;
const mostRememberedHashes = 256;

/** Hashes of uploads between two requests, so that the next need not read the file again. Only a memory aid. */
export class HashMemory {
  readonly #hashes = new Map<string, { readonly size: number; readonly hash: Hash }>();

  keep(id: string, size: number, hash: Hash): void {
    this.#hashes.set(id, { size, hash });
    const oldest = this.#hashes.keys().next();
    if (this.#hashes.size > mostRememberedHashes && oldest.done === false) this.#hashes.delete(oldest.value);
  }

  take(id: string, size: number): Hash | undefined {
    const kept = this.#hashes.get(id);
    this.#hashes.delete(id);
    return kept?.size === size ? kept.hash : undefined;
  }
}

/** Uploads are pairs of files, `ID.json` and `ID.data`; who holds the lock on the data is the writer. */
export class LocalUploads implements UploadStorage {
  readonly #directory: string;
  readonly #publisher: Publisher;
  readonly #hashes = new HashMemory();

  constructor(paths: Paths, publisher: Publisher) {
    this.#directory = paths.uploads;
    this.#publisher = publisher;
  }

  async start(repository: string, algorithm: Algorithm = 'sha256'): Promise<UploadStatus> {
    const id = randomUUID();
    await writeFile(this.#data(id), '', { flag: 'wx' });
    await writeFile(this.#about(id), JSON.stringify({ repository, algorithm }), { flag: 'wx' });
    this.#hashes.keep(id, 0, createHash(algorithm));
    return { id, repository, algorithm, size: 0 };
  }

  async status(repository: string, id: string): Promise<UploadStatus | undefined> {
    if (!idPattern.test(id)) return undefined;
    const text = await orMissing(readFile(this.#about(id), 'utf8'));
    const file = await statFile(this.#data(id));
    // An empty text: another process has just made the file.
    if (!text || file === undefined) return undefined;
    const about = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const algorithm = String(about['algorithm']);
    if (about['repository'] !== repository || !isAlgorithm(algorithm)) return undefined;
    return { id, repository, algorithm, size: file.size };
  }

  async resume(repository: string, id: string, signal?: AbortSignal): Promise<UploadWriter | undefined> {
    const status = await this.status(repository, id);
    if (status === undefined) return undefined;
    const file = await orMissing(open(this.#data(id), 'r+'));
    if (file === undefined) return undefined;
    try {
      await waitForTurn(file, signal);
      const { size, ino } = await file.stat();
      // Whoever had it before may have made it a blob.
      if ((await statFile(this.#data(id)))?.ino === ino) {
        return new LocalUploadWriter({
          ...status,
          size,
          file,
          path: this.#data(id),
          hashes: this.#hashes,
          publisher: this.#publisher,
          forget: () => this.#forget(id),
        });
      }
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
    return undefined;
  }

  async cancel(repository: string, id: string): Promise<boolean> {
    await using writer = await this.resume(repository, id);
    await writer?.cancel();
    return writer !== undefined;
  }

  async reap(idleSinceMs: number, options: { readonly dryRun?: boolean } = {}): Promise<readonly string[]> {
    const ids = new Set((await readdir(this.#directory)).map((name) => name.replace(/\.(?:data|json)$/, '')));
    const reaped: string[] = [];
    for (const id of ids) {
      if (idPattern.test(id) && (await this.#reapOne(id, idleSinceMs, options.dryRun ?? false)))
        reaped.push(id);
    }
    return reaped;
  }

  async #reapOne(id: string, idleSinceMs: number, dryRun: boolean): Promise<boolean> {
    const file = await orMissing(open(this.#data(id), 'r'));
    if (file === undefined) {
      const about = await statFile(this.#about(id));
      if (about === undefined || about.mtimeMs > idleSinceMs) return false;
    } else {
      await using held = file;
      if ((await held.stat()).mtimeMs > idleSinceMs || !tryLock(held.fd)) return false;
      if (!dryRun) await this.#forget(id);
      return true;
    }
    if (!dryRun) await this.#forget(id);
    return true;
  }

  async #forget(id: string): Promise<void> {
    this.#hashes.take(id, -1);
    await rm(this.#data(id), { force: true });
    await rm(this.#about(id), { force: true });
  }

  #data(id: string): string {
    return join(this.#directory, `${id}.data`);
  }

  #about(id: string): string {
    return join(this.#directory, `${id}.json`);
  }
}

async function waitForTurn(file: FileHandle, signal: AbortSignal | undefined): Promise<void> {
  for (const start = Date.now(); !tryLock(file.fd); ) {
    if (Date.now() - start > takeOverMs) {
      throw new EngineError('conflict', 'another request is writing to this upload');
    }
    await sleep(retryMs, undefined, { signal });
  }
}
