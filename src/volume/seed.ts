import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasErrno } from '../errors/index.ts';
import { syncFileSystem } from '../lib/file-calls.ts';
import { syncDirectory } from '../lib/replace-file.ts';
import { run } from '../lib/run.ts';

/**
 * Fills an empty volume from a directory of the image: content, owners, modes, times, xattrs, and those of the
 * directory itself. A volume that holds something already is left as it is.
 *
 * The copy is made beside and renamed, so a crash leaves an empty volume or a full one; `inPlace` is for a volume
 * that is mounted, here or in a container. With `sync` a power cut does no more: it is on the disk before it has
 * its name.
 */
export async function seedVolume(
  source: string,
  target: string,
  options: { readonly inPlace: boolean; readonly sync: boolean },
): Promise<void> {
  const from = await lstat(source);
  await mkdir(target, { recursive: true });
  if ((await readdir(target)).length > 0) return;
  if (options.inPlace) {
    await copyTree(source, target, options);
    return;
  }
  if ((await readdir(source)).length === 0) {
    await chown(target, from.uid, from.gid);
    await chmod(target, from.mode & 0o7777);
    return;
  }
  const copy = await mkdtemp(join(dirname(target), 'seed-'));
  try {
    await copyTree(source, copy, options);
    await rmdir(target);
    await rename(copy, target);
    if (options.sync) await syncDirectory(dirname(target));
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    throw error;
  }
}

async function copyTree(source: string, target: string, { sync }: { readonly sync: boolean }): Promise<void> {
  await run('cp', ['-a', '--reflink=auto', '--', `${source}/.`, target]);
  if (sync) await syncFileSystem(target);
}

/** False also when nothing is there. */
export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return false;
    throw error;
  }
}
