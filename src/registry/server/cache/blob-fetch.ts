import { setTimeout as sleep } from 'node:timers/promises';
import { isCode } from '../../../errors/index.ts';
import { raceAbort } from '../../../lib/keyed-lock.ts';
import type { Digest } from '../../../oci/index.ts';
import type { ContentInfo, Quota, UploadWriter } from '../storage/index.ts';
import type { Upstream } from './upstream.ts';

/** Tries that bring nothing new before a fetch gives up. */
const mostFutileTries = 4;
const readBytes = 256 << 10;

export interface BlobFetchOptions {
  readonly upstream: Upstream;
  readonly digest: Digest;
  readonly size: number | undefined;
  readonly writer: UploadWriter;
  readonly quota: Quota;
  /** Before the second try; it doubles with each further one. */
  readonly retryMs: number;
  readonly signal: AbortSignal;
}

/**
 * One download of a blob into the storage, from which any number of readers are served while it runs. A broken
 * connection is taken up again where it broke. The fetch goes on to its end when its readers leave.
 */
export class BlobFetch {
  readonly size: number | undefined;
  readonly #writer: UploadWriter;
  readonly #done: Promise<ContentInfo>;
  #finished = false;
  #failure: { readonly error: unknown } | undefined;
  #moved = Promise.withResolvers<void>();
  #users = 1;

  constructor(options: BlobFetchOptions) {
    this.size = options.size;
    this.#writer = options.writer;
    this.#done = this.#run(options);
    // Whoever reads or waits hears of a failure; it may also be that nobody does.
    this.#done.catch(() => undefined);
  }

  /** Settles when the blob is stored, or cannot be. */
  get done(): Promise<ContentInfo> {
    return this.#done;
  }

  /** Keeps what arrived readable until `release`. */
  retain(): void {
    this.#users += 1;
  }

  async release(): Promise<void> {
    this.#users -= 1;
    if (this.#users === 0) await this.#writer[Symbol.asyncDispose]();
  }

  async *read(
    { start, end = Number.POSITIVE_INFINITY }: { readonly start: number; readonly end?: number },
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    for (let at = start; at <= end; ) {
      const moved = this.#moved.promise;
      const finished = this.#finished;
      // The last byte waits until all of it has been verified: nobody takes something else for the whole blob.
      const unverified = (this.size ?? Number.POSITIVE_INFINITY) - 1;
      const ready = finished ? this.#writer.size : Math.min(this.#writer.size, unverified);
      const wanted = Math.min(ready - at, end - at + 1, readBytes);
      if (wanted > 0) {
        const bytes = await this.#writer.readAt(at, wanted);
        at += bytes.length;
        yield bytes;
      } else if (this.#failure !== undefined) throw this.#failure.error;
      else if (finished) return;
      else await raceAbort(moved, signal);
    }
  }

  async #run(options: BlobFetchOptions): Promise<ContentInfo> {
    try {
      await this.#download(options);
      const info = await this.#writer.commit(options.digest, options.quota);
      this.#finished = true;
      return info;
    } catch (error) {
      this.#failure = { error };
      await this.#writer.cancel();
      throw error;
    } finally {
      this.#tell();
      await this.release();
    }
  }

  async #download({ upstream, digest, size, retryMs, signal }: BlobFetchOptions): Promise<void> {
    for (let futile = 0, waitMs = retryMs; ; waitMs *= 2) {
      const before = this.#writer.size;
      try {
        const { stream, start } = await upstream.blob(digest, { start: before, signal });
        await this.#writer.append(this.#passing(stream, before - start), signal);
        if (size === undefined || this.#writer.size >= size) return;
      } catch (error) {
        const final = isCode(error, 'notFound') || isCode(error, 'outOfSpace') || isCode(error, 'forbidden');
        if (signal.aborted || final || isCode(error, 'unauthorized')) throw error;
        futile = this.#writer.size > before ? 0 : futile + 1;
        if (futile >= mostFutileTries) throw error;
        await sleep(waitMs, undefined, { signal });
        continue;
      }
      // It ended in good order, but too early.
      futile = this.#writer.size > before ? 0 : futile + 1;
      if (futile >= mostFutileTries) return;
    }
  }

  /** The stream without its first `surplus` bytes, telling readers of every step. */
  async *#passing(stream: AsyncIterable<Buffer>, surplus: number): AsyncGenerator<Buffer> {
    let left = surplus;
    for await (const chunk of stream) {
      if (left >= chunk.length) left -= chunk.length;
      else {
        yield chunk.subarray(left);
        left = 0;
      }
      this.#tell();
    }
  }

  #tell(): void {
    this.#moved.resolve();
    this.#moved = Promise.withResolvers<void>();
  }
}
