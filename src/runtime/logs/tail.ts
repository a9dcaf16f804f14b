import type { FileHandle } from 'node:fs/promises';
import { isPartial } from './filter.ts';
import { lineFeed } from './format.ts';

const stepBytes = 64 << 10;

/**
 * Looks for the place where the last `lines` lines of a log begin, from its end, over as many parts as it takes. The
 * pieces of a long line are one line; output after the last line feed is one too.
 */
export class Tail {
  readonly #lines: number;
  #found = 0;
  #newest = true;

  constructor(lines: number) {
    this.#lines = lines;
  }

  /** Whole lines that may still be taken. */
  get missing(): number {
    return this.#lines - this.#found;
  }

  /** Where in this part, of which the bytes from `from` to `size` are there, the lines begin; `undefined`: before it. */
  async offsetIn(
    file: FileHandle,
    { from, size }: { readonly from: number; readonly size: number },
  ): Promise<number | undefined> {
    if (this.#lines <= 0) return size;
    let step = stepBytes;
    for (let end = size; end > from; ) {
      const begin = Math.max(from, end - step);
      const block = await readRange(file, begin, end);
      // Whole records only: what precedes the block's first line feed began in the block before.
      const first = begin === from ? 0 : block.indexOf(lineFeed) + 1;
      let stop = block.lastIndexOf(lineFeed) + 1;
      if (stop <= first && begin > from) {
        step *= 2;
        continue;
      }
      while (stop > first) {
        const before = stop < 2 ? -1 : block.lastIndexOf(lineFeed, stop - 2);
        const start = Math.max(first, before + 1);
        if (this.#passes(isPartial(block, start))) return begin + stop;
        stop = start;
      }
      end = begin + first;
      step = stepBytes;
    }
    return undefined;
  }

  /** The same for a part that can only be counted: how many whole lines of it to leave out; `undefined`: none. */
  linesBefore(part: { readonly lines: number; readonly endsOpen: boolean }): number | undefined {
    if (this.#lines <= 0) return part.lines;
    if (part.endsOpen && this.#newest) this.#found = 1;
    if (part.lines > 0 || part.endsOpen) this.#newest = false;
    if (part.lines > this.missing) return part.lines - this.missing;
    this.#found += part.lines;
    return undefined;
  }

  /** Goes back over a record; true if the lines begin after it. */
  #passes(partial: boolean): boolean {
    if (this.#newest && partial) this.#found = 1;
    this.#newest = false;
    if (!partial) this.#found += 1;
    return this.#found > this.#lines;
  }
}

async function readRange(file: FileHandle, begin: number, end: number): Promise<Buffer> {
  const block = Buffer.allocUnsafe(end - begin);
  let filled = 0;
  while (filled < block.length) {
    const { bytesRead } = await file.read(block, filled, block.length - filled, begin + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return block.subarray(0, filled);
}
