import type { LogRecord } from '../oci-runtime.ts';
import { type Filter, isPartial, isRecord, isStderr } from './filter.ts';
import { headerBytes, timeBytes } from './format.ts';
import { endOf } from './frames.ts';

/** Those of a block of whole records that a filter wants, as far as it wants any. */
export function recordsIn(block: Buffer, filter: Filter): LogRecord[] {
  const records: LogRecord[] = [];
  for (let start = 0; start < block.length && !filter.finished; ) {
    const end = endOf(block, start);
    if (isRecord(block, start) && filter.wants(block, start)) records.push(recordAt(block, start, end));
    start = end + 1;
  }
  return records;
}

export function recordAt(block: Buffer, start: number, end: number): LogRecord {
  return {
    stream: isStderr(block, start) ? 'stderr' : 'stdout',
    time: `${block.toString('latin1', start, start + timeBytes)}Z`,
    data: block.subarray(start + headerBytes, isPartial(block, start) ? end : end + 1),
  };
}
