import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { hasErrno } from '../../errors/index.ts';
import { setTimesOf } from '../../lib/file-calls.ts';
import { compressedPath, segmentPath } from './segments.ts';

const suffix = '.gz.tmp';

/**
 * Puts a gzipped file in the place of a rotated part, with the same time of change. A reader finds one or the other at
 * any moment; nothing happens if the part was dropped meanwhile.
 */
export async function compressSegment(path: string, number: number, signal: AbortSignal): Promise<void> {
  const from = segmentPath(path, number);
  const temporary = `${from}${suffix}`;
  try {
    await using source = await open(from, 'r');
    // One without its head is larger than its limit, and mostly not there.
    const { buffer } = await source.read(Buffer.alloc(1), 0, 1, 0);
    if (buffer[0] === 0) return;
    await using target = await open(temporary, 'w', 0o600);
    const { mtimeNs } = await source.stat({ bigint: true });
    await pipeline(
      source.createReadStream({ start: 0, highWaterMark: 256 << 10 }),
      createGzip({ chunkSize: 256 << 10 }),
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) await target.writeFile(chunk);
      },
      { signal },
    );
    await target.sync();
    setTimesOf(target.fd, mtimeNs);
    await rename(temporary, compressedPath(path, number));
    await rm(from, { force: true });
  } catch (error) {
    await rm(temporary, { force: true });
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}

/** Removes what an engine left that was killed while it compressed. */
export async function dropUnfinished(path: string): Promise<void> {
  const directory = dirname(path);
  for (const name of await readdir(directory)) {
    if (name.startsWith(`${basename(path)}.`) && name.endsWith(suffix))
      await rm(join(directory, name), { force: true });
  }
}
