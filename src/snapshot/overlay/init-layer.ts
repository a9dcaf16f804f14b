import { chmodSync, closeSync, mkdirSync, openSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno } from '../../errors/index.ts';
import type { ChainId } from '../../oci/index.ts';

const directories = ['/dev/pts', '/dev/shm', '/proc', '/sys'];
const files = ['/.dockerenv', '/etc/resolv.conf', '/etc/hosts', '/etc/hostname', '/dev/console'];
const links = [['/etc/mtab', '/proc/mounts']] as const;

/** What a container has over its image before it ran, with the directories made for it. */
export const initLayerPaths: ReadonlySet<string> = new Set(
  [...directories, ...files, ...links.map(([path]) => path)].flatMap((path) => [dirname(path), path]),
);

/** The directory name of the init layer over `parent`, made in the boot of this id. */
export function initName(boot: string, parent: ChainId | undefined): string {
  return `${boot.slice(0, 8)}-${parent === undefined ? 'scratch' : parent.replace(':', '-')}`;
}

/**
 * Fills a mounted overlay over an image with what the runtime mounts on: afterwards its upper tree is the init layer.
 * Nothing else may write to `root`, since paths below it are used as they are.
 */
export function fillInitLayer(root: string): void {
  for (const path of directories) {
    clearWay(root, path);
    makeDirectory(join(root, path));
  }
  for (const path of files) {
    clearWay(root, path);
    makeDirectory(dirname(join(root, path)));
    closeSync(openSync(join(root, path), 'wx', 0o755));
    chmodSync(join(root, path), 0o755);
  }
  for (const [path, target] of links) {
    clearWay(root, path);
    makeDirectory(dirname(join(root, path)));
    symlinkSync(target, join(root, path));
  }
}

/** Removes symlinks and files that stand at the path or where its parents must be. */
function clearWay(root: string, path: string): void {
  let at = root;
  for (const part of path.split('/').slice(1)) {
    at = join(at, part);
    try {
      unlinkSync(at);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return;
      if (!hasErrno(error, 'EISDIR') && !hasErrno(error, 'EPERM')) throw error;
    }
  }
}

function makeDirectory(path: string): void {
  if (mkdirSync(path, { recursive: true, mode: 0o755 }) !== undefined) chmodSync(path, 0o755);
}
