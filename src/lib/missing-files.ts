import { access, readdir, readFile } from 'node:fs/promises';
import { hasErrno } from '../errors/index.ts';

/** Files and directories that may not be there. */

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** What is in a directory, nothing if it is not there. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return [];
    throw error;
  }
}

/** The directories in a directory, none if it is not there. */
export async function directoriesIn(directory: string): Promise<string[]> {
  const entries = await ifThere(readdir(directory, { withFileTypes: true }));
  return (entries ?? []).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** The file's text, `undefined` if it is not there. */
export async function readOptional(path: string): Promise<string | undefined> {
  return ifThere(readFile(path, 'utf8'));
}

/** `undefined` if the file is not there, or its process or cgroup ended under the call. */
export async function ifThere<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ESRCH') || hasErrno(error, 'ENODEV')) return undefined;
    throw error;
  }
}
