import { watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { hasErrno } from '../../errors/index.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import type { LogQuery } from '../oci-runtime.ts';
import { lineFeed } from './format.ts';
import { tailOffset } from './tail.ts';

const blockBytes = 256 << 10;

/**
 * A log file as blocks of whole records. Without `follow` it ends where the file ended at the start; with it, it goes
 * on through appends, truncation, and conmon's rotation (a new file renamed over the old one, whose rest is read
 * first). A missing file is an empty one.
 */
export async function* readBlocks(
  path: string,
  query: LogQuery,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  signal?.throwIfAborted();
  if (query.follow === undefined) {
    await using log = await LogFile.open(path);
    if (log === undefined) return;
    const { size } = await log.stat();
    await log.seekTail(size, query.tail);
    for (;;) {
      signal?.throwIfAborted();
      const block = await log.next(size);
      if (block === undefined) return;
      yield block;
    }
  }
  yield* followBlocks(path, { tail: query.tail, ended: query.follow.ended }, signal);
}

async function* followBlocks(
  path: string,
  options: { readonly tail: number | undefined; readonly ended: AbortSignal },
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  using changes = new Changes(path, options.ended);
  let log = await LogFile.open(path);
  try {
    if (log !== undefined) await log.seekTail((await log.stat()).size, options.tail);
    for (;;) {
      signal?.throwIfAborted();
      // Looked at before reading: whatever was written up to the end is then read.
      const last = options.ended.aborted;
      const replaced: boolean = log === undefined || (await log.isReplaced());
      for (let block = await log?.next(); block !== undefined; block = await log?.next()) {
        yield block;
        signal?.throwIfAborted();
      }
      if (replaced) {
        const next: LogFile | undefined = await LogFile.open(path);
        if (next !== undefined) {
          await log?.[Symbol.asyncDispose]();
          log = next;
          continue;
        }
      }
      if (last) return;
      await changes.next(signal);
    }
  } finally {
    await log?.[Symbol.asyncDispose]();
  }
}

/** One open log file and the place up to which it was read. */
class LogFile implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  #position = 0;
  /** The beginning of a record whose end is not written yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<LogFile | undefined> {
    try {
      return new LogFile(path, await open(path, 'r'));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async stat(): Promise<{ readonly size: number; readonly ino: number }> {
    return this.#file.stat();
  }

  async seekTail(size: number, tail: number | undefined): Promise<void> {
    if (tail !== undefined) this.#position = await tailOffset(this.#file, size, tail);
  }

  /** True if the path now names another file. */
  async isReplaced(): Promise<boolean> {
    try {
      const [own, current] = await Promise.all([this.#file.stat(), stat(this.#path)]);
      return own.ino !== current.ino || own.dev !== current.dev;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return true;
      throw error;
    }
  }

  /** The next whole records, `undefined` at the end of the file (or at `limit`). */
  async next(limit = Number.MAX_SAFE_INTEGER): Promise<Buffer | undefined> {
    for (;;) {
      const block = Buffer.allocUnsafe(this.#rest.length + blockBytes);
      this.#rest.copy(block);
      const wanted = Math.min(blockBytes, limit - this.#position);
      const { bytesRead } = await this.#file.read(block, this.#rest.length, wanted, this.#position);
      if (bytesRead === 0) {
        if (wanted > 0 && (await this.#rewindIfTruncated())) continue;
        return undefined;
      }
      this.#position += bytesRead;
      const filled = this.#rest.length + bytesRead;
      const whole = block.lastIndexOf(lineFeed, filled - 1) + 1;
      this.#rest = block.subarray(whole, filled);
      if (whole > 0) return block.subarray(0, whole);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #rewindIfTruncated(): Promise<boolean> {
    const { size } = await this.#file.stat();
    if (size >= this.#position) return false;
    this.#position = 0;
    this.#rest = Buffer.alloc(0);
    return size > 0;
  }
}

/** Wakes its one reader when the log file, or the name of it, changes. */
class Changes implements Disposable {
  readonly #watcher: ReturnType<typeof watch>;
  readonly #ended: AbortSignal;
  #changed = Promise.withResolvers<void>();
  readonly #wake = () => {
    this.#changed.resolve();
  };

  constructor(path: string, ended: AbortSignal) {
    const name = basename(path);
    this.#watcher = watch(dirname(path), (_event, changed) => {
      if (changed === name || changed === null) this.#wake();
    });
    this.#watcher.on('error', this.#wake);
    this.#ended = ended;
    ended.addEventListener('abort', this.#wake);
  }

  /** Resolves at the first change since the last call. */
  async next(signal?: AbortSignal): Promise<void> {
    if (this.#ended.aborted) return;
    await raceAbort(this.#changed.promise, signal);
    this.#changed = Promise.withResolvers<void>();
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
    this.#ended.removeEventListener('abort', this.#wake);
  }
}
