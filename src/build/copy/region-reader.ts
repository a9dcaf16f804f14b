import { readSync } from 'node:fs';
import { type Region, readFully } from '../context/source-tree.ts';

const windowSize = 1 << 20;
/** A larger region is as well read by itself. */
const largest = windowSize / 4;

/** Reads regions; small ones that follow each other in a file, as those of a tree do, many at a time. */
export class RegionReader {
  #bytes: Buffer | undefined;
  #fd = -1;
  #start = 0;
  #length = 0;

  /** Reads a region into `into` from `at` on. Throws `internal` if the file ends before. */
  read(region: Region, into: Buffer, at: number): void {
    const { fd, offset, size } = region;
    const end = this.#start + this.#length;
    const isNear = fd === this.#fd && offset >= this.#start && offset < end + largest;
    if (size > largest || !isNear) {
      readFully(region, into, at);
      if (size <= largest) this.#expect(fd, offset + size);
      return;
    }
    const bytes = (this.#bytes ??= Buffer.allocUnsafeSlow(windowSize));
    if (offset + size > end) this.#fill(region, bytes);
    if (this.#length < size) {
      readFully(region, into, at);
      return;
    }
    const from = offset - this.#start;
    bytes.copy(into, at, from, from + size);
  }

  /** The next region is likely to be there. */
  #expect(fd: number, offset: number): void {
    this.#fd = fd;
    this.#start = offset;
    this.#length = 0;
  }

  #fill({ fd, offset }: Region, bytes: Buffer): void {
    this.#start = offset;
    this.#length = readSync(fd, bytes, 0, windowSize, offset);
  }
}
