import { readFileSync } from 'node:fs';
import { hasErrno } from '../errors/index.ts';

/**
 * Reads a file that lies in memory (tmpfs, /proc, a cgroup's), `undefined` if it is not there, or its process or cgroup is gone.
 * At once: that takes some microseconds, where a turn of Node's thread pool costs the one JavaScript thread ten times
 * that, and the caller a hundred.
 */
export function readMemoryFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'ENODEV'].some((code) => hasErrno(error, code))) return undefined;
    throw error;
  }
}
