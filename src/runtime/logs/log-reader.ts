import { Readable } from 'node:stream';
import type { LogPosition, LogQuery, LogReader, LogRecord, PlacedRecord } from '../oci-runtime.ts';
import { blocksFrom, readBlocks } from './blocks.ts';
import { Filter, isRecord } from './filter.ts';
import { endOf, type FrameOptions, Framer } from './frames.ts';
import { lastLines } from './last-lines.ts';
import { recordAt, recordsIn } from './records.ts';

/** Reads the logs that conmon writes in its k8s-file format. */
export function createLogReader(): LogReader {
  return { read: readRecords, stream: streamFrames, from: recordsFrom, lastLines };
}

async function* readRecords(
  path: string,
  query: LogQuery,
  signal?: AbortSignal,
): AsyncGenerator<LogRecord[]> {
  const filter = new Filter(query);
  for await (const block of readBlocks(path, query, signal)) {
    const records = recordsIn(block, filter);
    if (records.length > 0) yield records;
    if (filter.finished) return;
  }
}

async function* recordsFrom(
  path: string,
  start: LogPosition,
  options: { readonly ended: AbortSignal; readonly signal?: AbortSignal },
): AsyncGenerator<{ readonly records: PlacedRecord[]; readonly end: LogPosition }> {
  for await (const { part, offset, block } of blocksFrom(path, start, options)) {
    const records: PlacedRecord[] = [];
    for (let begin = 0; begin < block.length; ) {
      const end = endOf(block, begin);
      if (isRecord(block, begin)) {
        records.push({ ...recordAt(block, begin, end), at: { part, offset: offset + begin } });
      }
      begin = end + 1;
    }
    yield { records, end: { part, offset: offset + block.length } };
  }
}

async function* frameBlocks(
  path: string,
  options: FrameOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const framer = new Framer(options);
  for await (const block of readBlocks(path, options, signal)) {
    const frames = framer.frames(block);
    if (frames.length > 0) yield frames;
    if (framer.finished) return;
  }
}

function streamFrames(path: string, options: FrameOptions, signal?: AbortSignal): Readable {
  const destroyed = new AbortController();
  const either = signal === undefined ? destroyed.signal : AbortSignal.any([signal, destroyed.signal]);
  const blocks = frameBlocks(path, options, either);
  const stream = new Readable({
    highWaterMark: 256 << 10,
    read() {
      blocks.next().then(
        ({ value, done }) => stream.push(done === true ? null : value),
        (error: unknown) => stream.destroy(error as Error),
      );
    },
    destroy(error, done) {
      // `Readable.from` would first wait for a line that may never come.
      destroyed.abort();
      const finish = () => {
        done(error);
      };
      blocks.return(undefined).then(finish, finish);
    },
  });
  return stream;
}
