import { randomUUID } from 'node:crypto';
import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasErrno } from '../../../../errors/index.ts';
import { syncDirectory } from '../../../../lib/replace-file.ts';

/** Makes a directory and its parents so that they survive a crash. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === first) return;
  }
}

/** Runs `place`, which makes an entry of `directory`; where the directory is missing it is made first. */
export async function inDirectory<T>(directory: string, place: () => Promise<T>): Promise<T> {
  try {
    return await place();
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  await makeDirectory(directory);
  return place();
}

/** Puts a whole file at `path`: written and synced below `temporary`, then renamed. */
export async function placeFile(temporary: string, path: string, bytes: Uint8Array | string): Promise<void> {
  const written = await writeTemporary(temporary, bytes);
  try {
    await inDirectory(dirname(path), () => rename(written, path));
  } catch (error) {
    await rm(written, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Writes and syncs a new file below `temporary` and returns its path. */
export async function writeTemporary(temporary: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(temporary, randomUUID());
  const file = await open(path, 'wx', 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return path;
}

/** Removes a file and makes that durable; false if there was none. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await rm(path);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  await syncDirectory(dirname(path));
  return true;
}

/** The file's times, size and links; undefined if it is missing. */
export async function statFile(path: string) {
  return orMissing(stat(path));
}

/** Names in a directory that may be huge, in no order. */
export async function* entriesOf(path: string): AsyncGenerator<string> {
  const directory = await orMissing(opendir(path, { bufferSize: 256 }));
  if (directory === undefined) return;
  for await (const entry of directory) yield entry.name;
}

/** What the promise gives, or undefined when the file it is about does not exist. */
export async function orMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR');
}
