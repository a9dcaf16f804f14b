import { closeSync, openSync, readSync, unlinkSync, writevSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../errors/index.ts';
import { dropHead } from '../../lib/file-calls.ts';
import { randomId } from '../../lib/ids.ts';
import type { OutputChunk } from './output-queue.ts';

/** What a client may leave unread, headers included. */
const defaultMostBytes = 1 << 30;
/** A byte that names the stream, then the length of the data. */
const headerBytes = 5;
/** What was read goes back to the file system once it is this much. */
const mostReadBytes = 16 << 20;

/**
 * Output that a client does not read, in a file that nobody else sees and that is gone with this process. Its calls do
 * not wait: what they touch is in the page cache or comes a chunk at a time.
 */
export class Backlog implements Disposable {
  readonly #fd: number;
  readonly #mostBytes: number;
  readonly #header = Buffer.alloc(headerBytes);
  #written = 0;
  #read = 0;
  #dropped = 0;

  /** Throws what the file system says when there cannot be one. */
  constructor(directory: string, mostBytes = defaultMostBytes) {
    this.#mostBytes = mostBytes;
    const path = join(directory, `backlog-${randomId()}`);
    this.#fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
  }

  get isEmpty(): boolean {
    return this.#read === this.#written;
  }

  /** False if it does not fit: too much is held already, or the disk is full. */
  append({ stream, data }: OutputChunk): boolean {
    const bytes = headerBytes + data.length;
    if (this.#written - this.#read + bytes > this.#mostBytes) return false;
    this.#header.writeUInt8(stream === 'stderr' ? 1 : 0);
    this.#header.writeUInt32LE(data.length, 1);
    try {
      // What a full disk took of a record is written over by the next.
      if (writevSync(this.#fd, [this.#header, data], this.#written) !== bytes) return false;
    } catch {
      return false;
    }
    this.#written += bytes;
    return true;
  }

  /** The oldest; `undefined` when it is empty. */
  shift(): OutputChunk | undefined {
    if (this.isEmpty) return undefined;
    readSync(this.#fd, this.#header, 0, headerBytes, this.#read);
    const data = Buffer.allocUnsafe(this.#header.readUInt32LE(1));
    readSync(this.#fd, data, 0, data.length, this.#read + headerBytes);
    this.#read += headerBytes + data.length;
    if (this.#read - this.#dropped >= mostReadBytes) this.#dropRead();
    return { stream: this.#header[0] === 1 ? 'stderr' : 'stdout', data };
  }

  /** Where the file system can: a client that never catches up must not fill the disk. */
  #dropRead(): void {
    this.#dropped = this.#read;
    try {
      dropHead(this.#fd, this.#read);
    } catch (error) {
      if (!hasErrno(error, 'EOPNOTSUPP')) throw error;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
