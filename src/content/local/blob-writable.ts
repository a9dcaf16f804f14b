import { createHash } from 'node:crypto';
import { write, writev } from 'node:fs';
import { Writable } from 'node:stream';
import type { Digest } from '../../oci/index.ts';

/** Bytes held back before the source has to wait: enough for one system call to write many chunks. */
const highWaterMark = 1 << 20;

type Done = (error?: Error | null) => void;

/** Writes to an open file (which the caller closes) and hashes on the way. */
export class BlobWritable extends Writable {
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  #size = 0;
  #writing = false;
  #afterWrite: (() => void) | undefined;

  constructor(fd: number) {
    super({ highWaterMark });
    this.#fd = fd;
  }

  /** Bytes written. */
  get size(): number {
    return this.#size;
  }

  /** Digest of all the bytes; to be asked once, after the end. */
  digest(): Digest {
    return `sha256:${this.#hash.digest('hex')}` as Digest;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#hash.update(chunk);
    this.#writing = true;
    this.#writeOne(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    const buffers = chunks.map(({ chunk }) => chunk);
    let total = 0;
    for (const buffer of buffers) {
      this.#hash.update(buffer);
      total += buffer.length;
    }
    this.#writing = true;
    writev(this.#fd, buffers, (error, written) => {
      if (error === null) this.#size += written;
      if (error !== null || written === total) this.#end(error, done);
      else this.#writeOne(Buffer.concat(buffers).subarray(written), done);
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
    write(this.#fd, bytes, (error, written) => {
      if (error === null) this.#size += written;
      if (error !== null || written === bytes.length) this.#end(error, done);
      else this.#writeOne(bytes.subarray(written), done);
    });
  }

  #end(error: Error | null, done: Done): void {
    this.#writing = false;
    done(error);
    this.#afterWrite?.();
  }
}
