import { lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, hasErrno } from '../errors/index.ts';

/** As the kernel's limit. */
const mostLinks = 40;

export interface ResolveOptions {
  /** False leaves a symlink at the end as it is. Default true. */
  readonly followLast?: boolean;
}

/**
 * The host path of `path` as a process with the root directory `root` would see it: symlinks are followed inside
 * `root` only, `..` stops there. What does not exist is taken by its name, so the result may be created.
 *
 * The answer holds only while nobody else changes the tree. Where a container may be running use `openInRoot`.
 * Throws `invalidArgument` on a loop of symlinks.
 */
export function resolveInRoot(root: string, path: string, options: ResolveOptions = {}): string {
  const pending = path.split('/').reverse();
  const resolved: string[] = [];
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved.pop();
      continue;
    }
    resolved.push(part);
    if (pending.length === 0 && options.followLast === false) break;
    const target = linkTarget(join(root, ...resolved));
    if (target === undefined) continue;
    links += 1;
    if (links > mostLinks) {
      throw new EngineError('invalidArgument', `Too many levels of symbolic links: ${JSON.stringify(path)}`);
    }
    if (target.startsWith('/')) resolved.length = 0;
    else resolved.pop();
    pending.push(...target.split('/').reverse());
  }
  return join(root, ...resolved);
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
      ? readlinkSync(path)
      : undefined;
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}
