import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../errors/index.ts';

/**
 * Makes the directory of runtime state. What an earlier boot of the machine left in it (where /run is not a tmpfs)
 * describes processes that are gone, and is dropped. Returns whether the state is of this boot.
 */
export async function openRunDirectory(run: string): Promise<{ readonly sameBoot: boolean }> {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const stamp = join(run, 'boot-id');
  const sameBoot = (await readStamp(stamp)) === bootId;
  if (!sameBoot) await rm(run, { recursive: true, force: true });
  await mkdir(run, { recursive: true, mode: 0o711 });
  if (!sameBoot) await writeFile(stamp, bootId);
  return { sameBoot };
}

async function readStamp(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
