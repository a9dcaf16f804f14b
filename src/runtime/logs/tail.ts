import type { FileHandle } from 'node:fs/promises';
import { isPartial } from './filter.ts';
import { lineFeed } from './format.ts';

const stepBytes = 64 << 10;

/**
 * Where the last `lines` lines begin in a log of `size` bytes, read from its end. The pieces of a long line are one
 * line; output after the last line feed is one too.
 */
export async function tailOffset(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines <= 0) return size;
  let found = 0;
  let newest = true;
  let step = stepBytes;
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - step);
    const block = await readRange(file, begin, end);
    // Whole records only: what precedes the block's first line feed began in the block before.
    const first = begin === 0 ? 0 : block.indexOf(lineFeed) + 1;
    let stop = block.lastIndexOf(lineFeed) + 1;
    if (stop <= first && begin > 0) {
      step *= 2;
      continue;
    }
    while (stop > first) {
      const before = stop < 2 ? -1 : block.lastIndexOf(lineFeed, stop - 2);
      const start = Math.max(first, before + 1);
      const partial = isPartial(block, start);
      if (newest && partial) found = 1;
      newest = false;
      if (!partial) found += 1;
      if (found > lines) return begin + stop;
      stop = start;
    }
    end = begin + first;
    step = stepBytes;
  }
  return 0;
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
