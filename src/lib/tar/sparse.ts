import type { ByteString } from './byte-string.ts';
import { blockSize } from './entry.ts';
import { number } from './header.ts';

const regionBytes = 24;

/**
 * What the header of a file in GNU's old sparse format says of its holes, as the records of the PAX format 0.1, whose
 * content is the same. `blocks` are the header and the blocks with more of the map.
 */
export function sparseRecords(blocks: Buffer): ReadonlyMap<string, ByteString> {
  const numbers: number[] = [];
  for (let start = 0; start < blocks.length; start += blockSize) {
    const [first, most] = start === 0 ? [386, 4] : [start, 21];
    for (let at = first; at < first + most * regionBytes; at += regionBytes) {
      if (blocks[at + 12] === 0) break;
      numbers.push(number(blocks, at, 12), number(blocks, at + 12, 12));
    }
  }
  return new Map([
    ['GNU.sparse.size', String(number(blocks, 483, 12)) as ByteString],
    ['GNU.sparse.numblocks', String(numbers.length / 2) as ByteString],
    ['GNU.sparse.map', numbers.join(',') as ByteString],
  ]);
}
