import { stat } from 'node:fs/promises';
import { hasErrno } from '../../errors/index.ts';
import { GzipFile } from './gzip-file.ts';
import { LogFile, type LogPart } from './log-file.ts';
import { compressedPath, rotatedSegments, type Segment, segmentPath } from './segments.ts';

/** The parts of a log at one moment. */
export interface Chain {
  /** Numbers of the rotated parts, oldest first. */
  readonly rotated: readonly number[];
  /** The part written to, open; `undefined` if there is none. Its number is the one it has, or would get, as a rotated part. */
  readonly current: LogFile | undefined;
  readonly number: number;
}

/** Looks at the parts of the log at `path`; the caller closes `current`. */
export async function openChain(path: string): Promise<Chain> {
  for (;;) {
    const current = await LogFile.open(path);
    const segments = await rotatedSegments(path);
    const last = segments.at(-1);
    const following = (last?.number ?? 0) + 1;
    const rotated = segments.map(({ number }) => number);
    if (current === undefined) return { rotated, current, number: following };
    if (last !== undefined && (await isFile(last, current))) {
      return { rotated: rotated.slice(0, -1), current, number: last.number };
    }
    if (!(await current.isReplaced())) return { rotated, current, number: following };
    // It was rotated between the two looks.
    await current[Symbol.asyncDispose]();
  }
}

/** A rotated part; `undefined` if it was dropped meanwhile. */
export async function openRotated(path: string, number: number): Promise<LogPart | undefined> {
  // In this order: the compressed one is there before the other goes.
  return (
    (await LogFile.open(segmentPath(path, number))) ?? (await GzipFile.open(compressedPath(path, number)))
  );
}

async function isFile(segment: Segment, file: LogFile): Promise<boolean> {
  try {
    return (await stat(segment.path)).ino === (await file.stat()).ino;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
