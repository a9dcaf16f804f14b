import { mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../errors/index.ts';
import { exists, namesIn } from '../lib/missing-files.ts';
import { isPart } from './part.ts';

/** Directories of volumes whose removal has begun, by name; no volume's name begins with a dot. */
export function graveyardOf(root: string): string {
  return join(root, '.removing');
}

/** Takes a volume's directory out of sight. Undone by `recoverDirectories` while the volume's row is still there. */
export async function bury(root: string, name: string): Promise<string> {
  const grave = join(graveyardOf(root), name);
  await mkdir(graveyardOf(root), { recursive: true, mode: 0o700 });
  await rm(grave, { recursive: true, force: true });
  try {
    await rename(join(root, name), grave);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  return grave;
}

/**
 * Brings the directories in line with the volumes there are: a removal that got as far as the row is finished, one
 * that did not is undone, and what a creation or filling left half made goes. Files that no volume knows of and no
 * removal named are never deleted.
 */
export async function recoverDirectories(root: string, volumes: ReadonlySet<string>): Promise<void> {
  for (const name of await namesIn(graveyardOf(root))) {
    const grave = join(graveyardOf(root), name);
    if (volumes.has(name) && !(await exists(join(root, name)))) await rename(grave, join(root, name));
    else await rm(grave, { recursive: true, force: true });
  }
  const present = (await namesIn(root)).filter((name) => !name.startsWith('.'));
  for (const name of new Set([...present, ...volumes])) {
    const path = join(root, name);
    for (const part of await namesIn(path)) {
      if (part.startsWith('seed-')) await rm(join(path, part), { recursive: true, force: true });
      // Not what is in it: were that mounted still, it would be the volume's.
      if (isPart(part)) await removePart(join(path, part));
    }
    if (volumes.has(name)) {
      // The power went before the directory of an acknowledged volume was on the disk.
      await mkdir(path, { recursive: true, mode: 0o711 });
      await mkdir(join(path, '_data'), { recursive: true, mode: 0o755 });
      continue;
    }
    await removeEmpty(join(path, '_data'));
    await removeEmpty(path);
  }
}

async function removePart(directory: string): Promise<void> {
  await rm(join(directory, 'file'), { force: true });
  await removeEmpty(directory);
}

async function removeEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    const kept = ['ENOENT', 'ENOTEMPTY', 'ENOTDIR'].some((code) => hasErrno(error, code));
    if (!kept) throw error;
  }
}
