import type { LogQuery } from '../oci-runtime.ts';
import { Filter, isPartial, isRecord, isStderr } from './filter.ts';
import { headerBytes, lineFeed, timeBytes } from './format.ts';

const frameHeaderBytes = 8;
/** Up to here a loop over bytes beats a call into native code. */
const shortBytes = 96;
/** Longest frame that records are joined into. */
const joinedBytes = 32 << 10;

export interface FrameOptions extends LogQuery {
  readonly framed: boolean;
  readonly timestamps: boolean;
  /** Goes before each line, after its time. */
  readonly prefix?: string;
}

/**
 * Turns blocks of records into what Docker sends: frames (8 bytes of header: stream, three zeroes, length), or bare
 * bytes for a terminal; with `timestamps` a time before each line. Following, a record is a frame, as clients that
 * take frames for lines expect; else records of one stream are joined, for a client reads each frame with two system
 * calls. Without a prefix what goes out is never longer than what came in; so each block needs one buffer and no object a
 * line.
 */
export class Framer {
  readonly #framed: boolean;
  readonly #timestamps: boolean;
  readonly #joins: boolean;
  readonly #prefix: Buffer;
  readonly #filter: Filter;
  /** Whether the last record of stdout, of stderr left its line open. */
  readonly #open = [false, false];

  constructor(options: FrameOptions) {
    this.#framed = options.framed;
    this.#timestamps = options.timestamps;
    this.#prefix = Buffer.from(options.prefix ?? '');
    this.#joins = options.follow === undefined;
    this.#filter = new Filter(options);
  }

  get finished(): boolean {
    return this.#filter.finished;
  }

  frames(block: Buffer): Buffer {
    const out = Buffer.allocUnsafe(block.length + this.#prefixBytes(block));
    let written = 0;
    let frame = 0;
    let frameOf = -1;
    for (let start = 0; start < block.length && !this.finished; ) {
      if (!isRecord(block, start) || !this.#filter.wants(block, start)) {
        start = endOf(block, start) + 1;
        continue;
      }
      const stderr = isStderr(block, start) ? 1 : 0;
      const partial = isPartial(block, start);
      if (this.#framed && !(this.#joins && frameOf === stderr && written - frame < joinedBytes)) {
        frame = written;
        frameOf = stderr;
        written += frameHeaderBytes;
      }
      if (this.#open[stderr] !== true) {
        if (this.#timestamps) written = writeTime(block, start, { out, at: written });
        if (this.#prefix.length > 0) written += this.#prefix.copy(out, written);
      }
      this.#open[stderr] = partial;
      let from = start + headerBytes;
      const short = Math.min(block.length, from + shortBytes);
      let byte = -1;
      while (from < short && byte !== lineFeed) {
        byte = block[from++] as number;
        out[written++] = byte;
      }
      if (byte !== lineFeed) {
        const end = block.indexOf(lineFeed, from) + 1;
        written += block.copy(out, written, from, end);
        from = end;
      }
      if (partial) written -= 1;
      if (this.#framed)
        writeHeader(out, frame, { stream: 1 + stderr, size: written - frame - frameHeaderBytes });
      start = from;
    }
    return out.subarray(0, written);
  }

  /** At most, for all lines of a block. */
  #prefixBytes(block: Buffer): number {
    if (this.#prefix.length === 0) return 0;
    let lines = 0;
    for (let at = block.indexOf(lineFeed); at !== -1; at = block.indexOf(lineFeed, at + 1)) lines += 1;
    return lines * this.#prefix.length;
  }
}

/** The position of the line feed that ends the record. */
export function endOf(block: Buffer, start: number): number {
  const end = block.indexOf(lineFeed, isRecord(block, start) ? start + headerBytes : start);
  return end === -1 ? block.length - 1 : end;
}

function writeTime(block: Buffer, start: number, to: { readonly out: Buffer; readonly at: number }): number {
  let at = to.at + block.copy(to.out, to.at, start, start + timeBytes);
  to.out[at++] = 0x5a;
  to.out[at++] = 0x20;
  return at;
}

function writeHeader(
  out: Buffer,
  at: number,
  frame: { readonly stream: number; readonly size: number },
): void {
  out[at] = frame.stream;
  out[at + 1] = 0;
  out[at + 2] = 0;
  out[at + 3] = 0;
  out[at + 4] = frame.size >>> 24;
  out[at + 5] = frame.size >>> 16;
  out[at + 6] = frame.size >>> 8;
  out[at + 7] = frame.size;
}
