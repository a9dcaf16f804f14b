import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Writes `path` so that after a crash it holds either the old content or all of the new. */
export async function replaceFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/**
 * Writes a file that is there in place, for one that is mounted elsewhere. It is never empty in between, so that neither
 * a reader nor a full disk finds or leaves less than the shorter of the two contents.
 */
export async function overwriteFile(path: string, content: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.writeFile(content);
  await file.truncate(Buffer.byteLength(content));
}

/** Makes the names in a directory durable: call it after creating, renaming or removing an entry. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
