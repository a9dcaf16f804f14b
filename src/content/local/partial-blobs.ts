import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, opendir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { KeyedLock } from '../../lib/keyed-lock.ts';
import { writeAll } from '../../lib/write-all.ts';
import type { Lease } from '../../metadata/index.ts';
import { type Digest, hexOf, isDigest } from '../../oci/index.ts';
import type { BlobInfo, PartialBlob } from '../content-store.ts';
import { verify, type WrittenBlob } from './written-blob.ts';

type Publish = (blob: WrittenBlob) => Promise<void>;

const readChunk = 256 << 10;

/** Blobs that arrive in part: a file each, named by the digest it is going to have. */
export class PartialBlobs {
  readonly #directory: string;
  readonly #publish: Publish;
  readonly #locks = new KeyedLock();
  readonly #open = new Set<Digest>();

  constructor(directory: string, publish: Publish) {
    this.#directory = directory;
    this.#publish = publish;
  }

  async open(blob: BlobInfo, signal?: AbortSignal): Promise<PartialBlob> {
    const held = await this.#locks.acquire(blob.digest, signal);
    this.#open.add(blob.digest);
    const release = () => {
      this.#open.delete(blob.digest);
      held[Symbol.dispose]();
    };
    try {
      const path = this.#path(blob.digest);
      const file = await open(path, 'a+', 0o644);
      try {
        return await LocalPartialBlob.over({ file, path, blob, publish: this.#publish, release, signal });
      } catch (error) {
        await file.close();
        throw error;
      }
    } catch (error) {
      release();
      throw error;
    }
  }

  async *list(): AsyncGenerator<BlobInfo, void, undefined> {
    for await (const entry of await opendir(this.#directory)) {
      const digest = `sha256:${entry.name}`;
      if (!isDigest(digest) || this.#open.has(digest)) continue;
      const size = await sizeOf(this.#path(digest));
      if (size !== undefined) yield { digest, size };
    }
  }

  async drop(digest: Digest): Promise<boolean> {
    if (this.#open.has(digest)) return false;
    using _held = await this.#locks.acquire(digest);
    const path = this.#path(digest);
    const there = (await sizeOf(path)) !== undefined;
    await rm(path, { force: true });
    return there;
  }

  #path(digest: Digest): string {
    return join(this.#directory, hexOf(digest));
  }
}

interface Parts {
  readonly file: FileHandle;
  readonly path: string;
  readonly blob: BlobInfo;
  readonly publish: Publish;
  readonly release: () => void;
  readonly signal: AbortSignal | undefined;
}

class LocalPartialBlob implements PartialBlob {
  readonly #parts: Parts;
  #hash: Hash = createHash('sha256');
  #size = 0;
  /** Counts resets: whoever follows an earlier try has read what is no more. */
  #try = 0;
  #committed = false;
  #closed = false;
  /** Called when there is more to read or nothing more will come. */
  readonly #waiting = new Set<() => void>();
  readonly #reading = new Set<Promise<unknown>>();

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes over what the file holds, which has to be hashed. */
  static async over(parts: Parts): Promise<LocalPartialBlob> {
    const partial = new LocalPartialBlob(parts);
    const stream = parts.file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 20 });
    for await (const chunk of stream) {
      parts.signal?.throwIfAborted();
      partial.#hash.update(chunk as Buffer);
      partial.#size += (chunk as Buffer).length;
    }
    if (partial.#size > parts.blob.size) await partial.reset();
    return partial;
  }

  get size(): number {
    return this.#size;
  }

  async append(source: AsyncIterable<unknown>): Promise<void> {
    const { file, blob } = this.#parts;
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (this.#size + chunk.length > blob.size) {
        await this.reset();
        throw new EngineError('invalidArgument', `blob ${blob.digest} goes on after its ${blob.size} bytes`);
      }
      await writeAll(file, chunk);
      this.#hash.update(chunk);
      this.#size += chunk.length;
      this.#wake();
    }
  }

  follow(): Readable {
    const attempt = this.#try;
    let at = 0;
    const next = (): void => {
      this.#waiting.delete(next);
      if (stream.destroyed) return;
      const { blob } = this.#parts;
      if (at === blob.size) {
        stream.push(null);
      } else if (this.#closed || this.#try !== attempt) {
        const text = `blob ${blob.digest} broke off after ${at} of ${blob.size} bytes`;
        stream.destroy(new EngineError('unavailable', text));
      } else if (at === this.#size) {
        this.#waiting.add(next);
      } else {
        this.#readAt(at).then(
          (bytes) => {
            at += bytes.length;
            stream.push(bytes);
          },
          (error: unknown) => stream.destroy(error as Error),
        );
      }
    };
    const stream = new Readable({
      highWaterMark: readChunk,
      read: next,
      destroy: (error, done) => {
        this.#waiting.delete(next);
        done(error);
      },
    });
    return stream;
  }

  async commit(lease?: Lease): Promise<BlobInfo> {
    const { file, path, blob, publish } = this.#parts;
    const info = { digest: `sha256:${this.#hash.copy().digest('hex')}` as Digest, size: this.#size };
    try {
      verify(info, blob);
    } catch (error) {
      await this.reset();
      throw error;
    }
    this.#committed = true;
    await publish({ file, path, info, lease });
    // If the blob was there already, this copy of it is left over.
    await rm(path, { force: true });
    return info;
  }

  async reset(): Promise<void> {
    // From the commit on its file is the store's.
    if (this.#committed) return;
    await this.#parts.file.truncate(0);
    this.#hash = createHash('sha256');
    this.#size = 0;
    this.#try += 1;
    this.#wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake();
    const { file, path, release } = this.#parts;
    await Promise.allSettled(this.#reading);
    await file.close();
    // Nothing came: there is nothing to go on with.
    if (this.#size === 0 && !this.#committed) await rm(path, { force: true });
    release();
  }

  async #readAt(at: number): Promise<Buffer> {
    const length = Math.min(readChunk, this.#size - at);
    const reading = this.#parts.file.read(Buffer.allocUnsafeSlow(length), 0, length, at);
    this.#reading.add(reading);
    try {
      const { bytesRead, buffer } = await reading;
      return buffer.subarray(0, bytesRead);
    } finally {
      this.#reading.delete(reading);
    }
  }

  #wake(): void {
    for (const next of [...this.#waiting]) next();
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
