import type { FileHandle } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { isPartial } from './filter.ts';
import { lineFeed } from './format.ts';
import { type LogPart, openOptional } from './log-file.ts';
import type { Tail } from './tail.ts';

const blockBytes = 256 << 10;

/** A part that was compressed after its rotation. */
export class GzipFile implements LogPart {
  readonly #file: FileHandle;
  #blocks: AsyncGenerator<Buffer> | undefined;
  /** Whole lines to leave out, and where the records begin that are wanted. */
  #skip = 0;
  #from = 0;
  #position = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** `undefined` if there is no such file. */
  static async open(path: string): Promise<GzipFile | undefined> {
    const file = await openOptional(path);
    return file === undefined ? undefined : new GzipFile(file);
  }

  get position(): number {
    return this.#position;
  }

  seek(offset: number): void {
    this.#from = Math.max(this.#from, offset);
  }

  async modified(): Promise<bigint> {
    return (await this.#file.stat({ bigint: true })).mtimeNs;
  }

  async seekTail(tail: Tail): Promise<boolean> {
    let lines = 0;
    let endsOpen = false;
    for await (const block of wholeRecords(this.#plain())) {
      for (let start = 0; start < block.length; start = block.indexOf(lineFeed, start) + 1) {
        endsOpen = isPartial(block, start);
        if (!endsOpen) lines += 1;
      }
    }
    const skip = tail.linesBefore({ lines, endsOpen });
    this.#skip = skip ?? 0;
    return skip !== undefined;
  }

  async next(): Promise<Buffer | undefined> {
    this.#blocks ??= wholeRecords(this.#plain());
    for (;;) {
      const next = await this.#blocks.next();
      if (next.done === true) return undefined;
      const block = this.#skipped(next.value.subarray(Math.max(0, this.#from - this.#position)));
      this.#position += next.value.length;
      if (block.length > 0) return block;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#blocks?.return(undefined);
    await this.#file.close();
  }

  #plain(): Readable {
    const source = this.#file.createReadStream({ start: 0, autoClose: false, highWaterMark: blockBytes });
    // Whoever reads hears of an error.
    return pipeline(source, createGunzip({ chunkSize: blockBytes }), () => undefined);
  }

  #skipped(block: Buffer): Buffer {
    let start = 0;
    while (this.#skip > 0 && start < block.length) {
      if (!isPartial(block, start)) this.#skip -= 1;
      start = block.indexOf(lineFeed, start) + 1;
    }
    return block.subarray(start);
  }
}

/** Blocks that end where a record ends; what is left of one at the very end is no record. */
async function* wholeRecords(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const block = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole = block.lastIndexOf(lineFeed) + 1;
    rest = block.subarray(whole);
    if (whole > 0) yield block.subarray(0, whole);
  }
}
