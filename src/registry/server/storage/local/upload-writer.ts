import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { EngineError } from '../../../../errors/index.ts';
import { HashingWritable } from '../../../../lib/hashing-writable.ts';
import { type Algorithm, algorithmOf, type ContentDigest, digestOfHash } from '../../content-digest.ts';
import type { ContentInfo, Quota, UploadWriter } from '../storage.ts';
import type { HashMemory } from './uploads.ts';

const readBytes = 1 << 20;

/** With more held back, many clients at once take much memory for no speed. */
const highWaterMark = 64 << 10;

/** Makes the synced file at `source` a blob of the repository. */
export type Publisher = (
  repository: string,
  content: { readonly digest: ContentDigest; readonly source: string; readonly size: number },
  quota: Quota | undefined,
) => Promise<void>;

interface Options {
  readonly id: string;
  readonly repository: string;
  readonly algorithm: Algorithm;
  readonly size: number;
  /** Locked; the writer closes it. */
  readonly file: FileHandle;
  readonly path: string;
  readonly hashes: HashMemory;
  readonly publisher: Publisher;
  readonly forget: () => Promise<void>;
}

export class LocalUploadWriter implements UploadWriter {
  readonly id: string;
  readonly #options: Options;
  readonly #file: FileHandle;
  #size: number;
  #appender: HashingWritable | undefined;
  /** Of the first `#size` bytes; undefined until somebody needs it. */
  #hash: Hash | undefined;
  #closed = false;
  #ended = false;

  constructor(options: Options) {
    this.id = options.id;
    this.#options = options;
    this.#file = options.file;
    this.#size = options.size;
    this.#hash = options.hashes.take(options.id, options.size);
  }

  get size(): number {
    return this.#appender?.position ?? this.#size;
  }

  async append(source: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void> {
    this.#hash ??= await this.#hashFile(this.#options.algorithm);
    const appender = new HashingWritable(this.#file.fd, {
      hash: this.#hash,
      position: this.#size,
      highWaterMark,
    });
    this.#appender = appender;
    try {
      await pipeline(source, appender, signal === undefined ? {} : { signal });
    } finally {
      // A pipeline that fails does not wait for a write under way, which still counts.
      if (!appender.closed) await new Promise((resolve) => appender.once('close', resolve));
      this.#size = appender.position;
      this.#appender = undefined;
    }
  }

  async readAt(start: number, length: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, this.size - start));
    const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(wanted), 0, wanted, start);
    return buffer.subarray(0, bytesRead);
  }

  async commit(digest: ContentDigest, quota?: Quota): Promise<ContentInfo> {
    const actual = await this.#digest(algorithmOf(digest));
    if (actual !== digest) {
      await this.cancel();
      throw new EngineError('invalidArgument', `the content has digest ${actual}, not ${digest}`);
    }
    const { repository, path, publisher } = this.#options;
    try {
      await this.#file.sync();
      await publisher(repository, { digest, source: path, size: this.#size }, quota);
    } finally {
      await this.cancel();
    }
    return { digest, size: this.#size, usedMs: Date.now() };
  }

  async cancel(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#options.forget();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#ended && this.#hash !== undefined) {
      this.#options.hashes.keep(this.id, this.#size, this.#hash);
    }
    await this.#file.close();
  }

  async #digest(algorithm: Algorithm): Promise<ContentDigest> {
    const known = algorithm === this.#options.algorithm ? this.#hash : undefined;
    this.#hash = undefined;
    return digestOfHash(known ?? (await this.#hashFile(algorithm)), algorithm);
  }

  /** The writer before was another process, or this one has forgotten. */
  async #hashFile(algorithm: Algorithm): Promise<Hash> {
    const hash = createHash(algorithm);
    const buffer = Buffer.allocUnsafe(Math.min(readBytes, Math.max(this.#size, 1)));
    for (let at = 0; at < this.#size; ) {
      const { bytesRead } = await this.#file.read(buffer, 0, Math.min(buffer.length, this.#size - at), at);
      if (bytesRead === 0) throw new EngineError('internal', `upload ${this.id} has become shorter`);
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    return hash;
  }
}
