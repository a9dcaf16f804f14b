import { join } from 'node:path';
import { EngineError, hasErrno } from '../errors/index.ts';
import { type OpenFile, openInRoot, openPath } from './open-in-root.ts';

/**
 * Opens a path inside a tree that a mount names: `invalidArgument` if it leads out of it, `notFound` if nothing is
 * there. `owner` says in the message whose tree it is.
 */
export function openSubpath(tree: string, subpath: string, owner: 'volume' | 'image'): OpenFile {
  using root = openPath(tree);
  try {
    return openInRoot(root, subpath, { strict: true });
  } catch (error) {
    if (hasErrno(error, 'EXDEV')) {
      const text = `subpath "${subpath}" is not within the ${owner}`;
      throw new EngineError('invalidArgument', text, { cause: error });
    }
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ENOTDIR')) throw error;
    const text = `cannot access path ${join(tree, subpath)}: no such file or directory`;
    throw new EngineError('notFound', text, { cause: error });
  }
}
