import { randomId } from '../../../lib/ids.ts';
import type { LogPosition, PlacedRecord } from '../../../runtime/index.ts';
import type { LogLine } from './sink.ts';

/** Docker's: a longer line goes out in pieces. */
const longestBytes = 16 << 10;

interface Open {
  readonly at: LogPosition;
  readonly time: string;
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
  /** Of the pieces that have gone out already. */
  readonly piece?: { readonly id: string; readonly ordinal: number };
}

type Stream = LogLine['stream'];

/** Puts lines together from the records a monitor writes, which are what it read at once. */
export class Lines {
  readonly #open = new Map<Stream, Open>();

  /** The lines these records end. */
  add(records: readonly PlacedRecord[]): LogLine[] {
    const lines: LogLine[] = [];
    for (const { stream, data, time, at } of records) {
      const ends = data.at(-1) === 0x0a;
      const before = this.#open.get(stream) ?? { at, time, chunks: [], bytes: 0 };
      const chunk = ends ? data.subarray(0, -1) : data;
      let open: Open = { ...before, chunks: [...before.chunks, chunk], bytes: before.bytes + chunk.length };
      while (open.bytes > longestBytes) {
        const all = Buffer.concat(open.chunks);
        const piece = open.piece ?? { id: randomId(), ordinal: 1 };
        lines.push(lineOf(stream, { ...open, chunks: [all.subarray(0, longestBytes)], piece }, false));
        const rest = all.subarray(longestBytes);
        const next = { id: piece.id, ordinal: piece.ordinal + 1 };
        open = { at, time: open.time, chunks: [rest], bytes: rest.length, piece: next };
      }
      if (ends) {
        this.#open.delete(stream);
        lines.push(lineOf(stream, open, true));
      } else {
        this.#open.set(stream, open);
      }
    }
    return lines;
  }

  /** What is there of lines that nothing will end any more. */
  rest(): LogLine[] {
    const lines = [...this.#open].map(([stream, open]) => lineOf(stream, open, true));
    this.#open.clear();
    return lines;
  }

  /** Where to begin again so that no line is lost, if all up to `end` was added. */
  resumeAt(end: LogPosition): LogPosition {
    return [...this.#open.values()].map(({ at }) => at).reduce(earlier, end);
  }
}

function lineOf(stream: Stream, { time, chunks, piece }: Open, last: boolean): LogLine {
  return {
    stream,
    time,
    data: Buffer.concat(chunks),
    ...(piece === undefined ? {} : { piece: { ...piece, last } }),
  };
}

function earlier(a: LogPosition, b: LogPosition): LogPosition {
  return a.part < b.part || (a.part === b.part && a.offset < b.offset) ? a : b;
}
