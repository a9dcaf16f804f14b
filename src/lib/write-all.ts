import type { FileHandle } from 'node:fs/promises';

/** Writes all of the bytes at `position`, or where the file stands: one write may take only some of them. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const where = position === undefined ? null : position + at;
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, where);
    at += bytesWritten;
  }
}
