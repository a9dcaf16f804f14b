import { link, open, rm, stat } from 'node:fs/promises';
import { hasErrno } from '../../errors/index.ts';
import { dropHead } from '../../lib/file-calls.ts';
import type { LogFiles, LogFilesOptions } from '../rotation.ts';
import { compressSegment, dropUnfinished } from './compress.ts';
import { lineFeed } from './format.ts';
import { rotatedSegments, segmentPath } from './segments.ts';

/** Bytes read at once to find the end of a record; a record is shorter. */
const recordBytes = 16 << 10;

/** The files of one log that conmon writes, kept within limits. */
export function createLogFiles({ path, limits }: LogFilesOptions): LogFiles {
  const { maxBytes, maxFiles, compress } = limits;

  return {
    async rotate(reopen) {
      const current = await statOptional(path);
      if (current === undefined) return;
      const last = (await rotatedSegments(path)).at(-1);
      // An engine that was killed in between left the same file under both names.
      const linked = last !== undefined && (await statOptional(last.path))?.ino === current.ino;
      if (maxFiles > 1 && !linked) await link(path, segmentPath(path, (last?.number ?? 0) + 1));
      await reopen({ path, ino: current.ino });
    },

    async trim() {
      const most = maxBytes * maxFiles;
      const current = await statOptional(path);
      // Written while no engine was there to rotate it.
      if (current !== undefined && current.bytes > most) await cut(path, current.size - most);
      let files = maxFiles - 1;
      let bytes = most - Math.max(maxBytes, Math.min(most, current?.bytes ?? 0));
      for (const segment of (await rotatedSegments(path)).reverse()) {
        const found = await statOptional(segment.path);
        // Rotated by half: it is still written to.
        if (found === undefined || found.ino === current?.ino) continue;
        if (files <= 0 || bytes <= 0) await rm(segment.path, { force: true });
        else if (!segment.compressed && found.bytes > bytes) await cut(segment.path, found.size - bytes);
        files -= 1;
        bytes -= Math.min(bytes, found.bytes);
      }
    },

    async compress(signal) {
      await dropUnfinished(path);
      if (!compress) return;
      const current = await statOptional(path);
      for (const segment of await rotatedSegments(path)) {
        if (segment.compressed || signal.aborted) continue;
        const found = await statOptional(segment.path);
        if (found === undefined || found.ino === current?.ino) continue;
        await compressSegment(path, segment.number, signal);
      }
    },
  };
}

interface Found {
  readonly ino: number;
  readonly size: number;
  /** That it takes of the disk. */
  readonly bytes: number;
}

async function statOptional(path: string): Promise<Found | undefined> {
  try {
    const { ino, size, blocks } = await stat(path);
    return { ino, size, bytes: Math.min(size, blocks * 512) };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Takes the records that begin before `offset` away, where the file system can. */
async function cut(path: string, offset: number): Promise<void> {
  await using file = await open(path, 'r+');
  const block = Buffer.alloc(recordBytes);
  const { bytesRead } = await file.read(block, 0, recordBytes, offset);
  const end = block.subarray(0, bytesRead).indexOf(lineFeed) + 1;
  try {
    dropHead(file.fd, offset + end);
  } catch (error) {
    if (!hasErrno(error, 'EOPNOTSUPP')) throw error;
  }
}
