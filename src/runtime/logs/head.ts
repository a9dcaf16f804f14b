import type { FileHandle } from 'node:fs/promises';

/** Longer than any record: so many bytes without one that is not zero are none. */
const windowBytes = 64 << 10;

/**
 * Where the records of a log begin: 0, or behind the head that was given back to the file system (see `dropHead`),
 * which reads as zeroes. A record begins with a digit and is at most some 8 KiB long.
 */
export async function headEnd(file: FileHandle): Promise<number> {
  const window = Buffer.alloc(windowBytes);
  const firstByte = async (offset: number): Promise<number> => {
    const { bytesRead } = await file.read(window, 0, windowBytes, offset);
    return window.subarray(0, bytesRead).findIndex((byte) => byte !== 0);
  };
  const { bytesRead } = await file.read(window, 0, 1, 0);
  if (bytesRead === 0 || window[0] !== 0) return 0;
  const { size } = await file.stat();
  let low = 0;
  let high = Math.ceil(size / windowBytes);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((await firstByte(middle * windowBytes)) === -1) low = middle + 1;
    else high = middle;
  }
  const offset = low * windowBytes;
  return Math.min(size, offset + Math.max(0, await firstByte(offset)));
}
