import type { Hash } from 'node:crypto';
import { write, writev } from 'node:fs';
import { Writable } from 'node:stream';

type Done = (error?: Error | null) => void;

export interface HashingOptions {
  /** Gets what has been written. */
  readonly hash: Hash;
  /** Where the first byte goes. */
  readonly position: number;
  /** Bytes held back before the source has to wait. */
  readonly highWaterMark: number;
}

/** Writes to an open file and hashes what has been written. The caller closes the file. */
export class HashingWritable extends Writable {
  readonly #fd: number;
  readonly #hash: Hash;
  #position: number;
  #writing = false;
  #afterWrite: (() => void) | undefined;

  constructor(fd: number, { hash, position, highWaterMark }: HashingOptions) {
    super({ highWaterMark });
    this.#fd = fd;
    this.#hash = hash;
    this.#position = position;
  }

  /** Where the next byte goes: the bytes before it are written and hashed. */
  get position(): number {
    return this.#position;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#writing = true;
    this.#writeOne(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    const buffers = chunks.map(({ chunk }) => chunk);
    this.#writing = true;
    writev(this.#fd, buffers, this.#position, (error, written) => {
      if (error !== null) {
        this.#end(error, done);
        return;
      }
      const rest: Buffer[] = [];
      let left = written;
      for (const buffer of buffers) {
        const taken = buffer.subarray(0, left);
        this.#hash.update(taken);
        left -= taken.length;
        if (taken.length < buffer.length) rest.push(buffer.subarray(taken.length));
      }
      this.#position += written;
      if (rest.length === 0) this.#end(null, done);
      else this.#writeOne(Buffer.concat(rest), done);
    });
  }

  override _destroy(error: Error | null, done: Done): void {
    // The file may be closed after this, so a write under way comes first.
    if (this.#writing)
      this.#afterWrite = () => {
        done(error);
      };
    else done(error);
  }

  #writeOne(bytes: Buffer, done: Done): void {
    write(this.#fd, bytes, 0, bytes.length, this.#position, (error, written) => {
      if (error !== null) {
        this.#end(error, done);
        return;
      }
      this.#hash.update(bytes.subarray(0, written));
      this.#position += written;
      if (written === bytes.length) this.#end(null, done);
      else this.#writeOne(bytes.subarray(written), done);
    });
  }

  #end(error: Error | null, done: Done): void {
    this.#writing = false;
    done(error);
    this.#afterWrite?.();
  }
}
