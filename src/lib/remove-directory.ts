import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** To free more than this may take the disk a while. */
const mostBytes = 1 << 20;

/**
 * Removes a directory of files: if that is little at once, which takes a fifth of the time. One that is not there is no
 * error.
 */
export async function removeDirectory(path: string): Promise<void> {
  if (!existsSync(path)) return;
  if (bytesIn(path) <= mostBytes) await removeTree(path);
  else await rm(path, { recursive: true, force: true });
}

/** Removes a small tree at once, also when a process, on its way out, still writes into it. */
export async function removeTree(path: string): Promise<void> {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Not all errors have their names here: the other way, which tries again, meets them too.
  }
  // It passes for done also when an entry went by itself, and then leaves the rest.
  if (existsSync(path)) await rm(path, { recursive: true, force: true, maxRetries: 4, retryDelay: 25 });
}

function bytesIn(path: string): number {
  return readdirSync(path, { withFileTypes: true })
    .map((entry) => {
      if (entry.isDirectory()) return Infinity;
      return lstatSync(join(path, entry.name), { throwIfNoEntry: false })?.size ?? 0;
    })
    .reduce((sum, bytes) => sum + bytes, 0);
}
