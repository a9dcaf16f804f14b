import type { LastLinesQuery, LogRecord } from '../oci-runtime.ts';
import { openChain } from './chain.ts';
import { Filter } from './filter.ts';
import { lineFeed } from './format.ts';
import { LogFile } from './log-file.ts';
import { recordsIn } from './records.ts';
import { segmentPath } from './segments.ts';

/** Read of the end of a log, however big it is. Two records at least: one is shorter than half of it. */
const endBytes = 32 << 10;

export async function lastLines(path: string, query: LastLinesQuery): Promise<LogRecord[]> {
  const filter = new Filter({ stdout: true, stderr: true, ...query });
  const kept: LogRecord[] = [];
  let room = query.bytes;
  for (const line of joined(recordsIn(await readEnd(path), filter))
    .slice(-query.lines)
    .reverse()) {
    if (room <= 0) break;
    const data = line.data.subarray(-room);
    room -= data.length;
    kept.push({ ...line, data });
  }
  return kept.reverse();
}

/** Lines from their pieces, between which those of the other stream may lie. */
function joined(records: readonly LogRecord[]): LogRecord[] {
  const lines: LogRecord[] = [];
  for (const record of records) {
    const at = lines.findLastIndex(({ stream }) => stream === record.stream);
    const before = lines[at];
    if (before === undefined || before.data.at(-1) === lineFeed) lines.push(record);
    else lines[at] = { ...before, data: Buffer.concat([before.data, record.data]) };
  }
  return lines;
}

/** Whole records: of the newest part, and of the one before it while that is not compressed. */
async function readEnd(path: string): Promise<Buffer> {
  const { current: newest, rotated } = await openChain(path);
  await using current = newest;
  const end = await tailOf(current);
  const last = rotated.at(-1);
  if (last === undefined || end.length > endBytes / 2) return end;
  await using before = await LogFile.open(segmentPath(path, last));
  return Buffer.concat([await tailOf(before), end]);
}

async function tailOf(part: LogFile | undefined): Promise<Buffer> {
  if (part === undefined) return Buffer.alloc(0);
  await part.stopHere();
  const head = part.position;
  part.seek((await part.stat()).size - endBytes);
  const isCut = part.position > head;
  const blocks: Buffer[] = [];
  for (let block = await part.next(); block !== undefined; block = await part.next()) blocks.push(block);
  const end = Buffer.concat(blocks);
  return isCut ? end.subarray(end.indexOf(lineFeed) + 1) : end;
}
