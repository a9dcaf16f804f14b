import { type FileHandle, open, stat } from 'node:fs/promises';
import { hasErrno } from '../../errors/index.ts';
import { lineFeed } from './format.ts';
import { headEnd } from './head.ts';
import type { Tail } from './tail.ts';

const blockBytes = 256 << 10;

/** One part of a log, open and read up to some place. */
export interface LogPart extends AsyncDisposable {
  /** The next whole records, `undefined` at the end. */
  next(): Promise<Buffer | undefined>;
  /** Before the first `next`: goes to where the last lines begin. False if that is before this part. */
  seekTail(tail: Tail): Promise<boolean>;
  /** The offset of the first record that was not read; in a compressed part that of the plain file. */
  readonly position: number;
  /** Goes forward to an offset that `position` gave. */
  seek(offset: number): void;
  /** Nanoseconds since 1970. */
  modified(): Promise<bigint>;
}

/** A part as the monitor wrote it, or still writes it. */
export class LogFile implements LogPart {
  readonly #path: string;
  readonly #file: FileHandle;
  #position: number;
  /** Where it ends for this reader, however much is written to it. */
  #end = Number.MAX_SAFE_INTEGER;
  /** The beginning of a record whose end is not written yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string, file: FileHandle, position: number) {
    this.#path = path;
    this.#file = file;
    this.#position = position;
  }

  /** `undefined` if there is no such file. */
  static async open(path: string): Promise<LogFile | undefined> {
    const file = await openOptional(path);
    if (file === undefined) return undefined;
    try {
      return new LogFile(path, file, await headEnd(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async stat(): Promise<{ readonly size: number; readonly ino: number }> {
    return this.#file.stat();
  }

  get position(): number {
    return this.#position - this.#rest.length;
  }

  seek(offset: number): void {
    if (offset <= this.position) return;
    this.#position = offset;
    this.#rest = Buffer.alloc(0);
  }

  /** It ends for this reader where it ends now. */
  async stopHere(): Promise<void> {
    this.#end = (await this.stat()).size;
  }

  async modified(): Promise<bigint> {
    return (await this.#file.stat({ bigint: true })).mtimeNs;
  }

  async seekTail(tail: Tail): Promise<boolean> {
    const size = Math.min(this.#end, (await this.stat()).size);
    const offset = await tail.offsetIn(this.#file, { from: this.#position, size });
    if (offset === undefined) return false;
    this.#position = offset;
    return true;
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

  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const block = Buffer.allocUnsafe(this.#rest.length + blockBytes);
      this.#rest.copy(block);
      const wanted = Math.max(0, Math.min(blockBytes, this.#end - this.#position));
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
    this.#position = await headEnd(this.#file);
    this.#rest = Buffer.alloc(0);
    return size > 0;
  }
}

/** `undefined` if there is no such file. */
export async function openOptional(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
