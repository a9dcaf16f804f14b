import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { EngineError, hasErrno } from '../errors/index.ts';
import { openInRoot } from '../lib/open-in-root.ts';
import { type ResolvedUser, resolveUser } from './user.ts';

const longestFile = 4 << 20;
/** /dev/null, with which a file can be masked. */
const nullDevice = 0x103;

/** A user as the files of the tree at `root` name it. */
export function userIn(root: string, user: string, groupAdd: readonly string[] = []): ResolvedUser {
  return resolveUser(
    user,
    { passwd: textIn(root, '/etc/passwd'), group: textIn(root, '/etc/group') },
    groupAdd,
  );
}

/** A file of the container, which may be running and changing its tree at this moment. */
function textIn(root: string, path: string): string {
  try {
    using named = openInRoot(root, path);
    const stat = fstatSync(named.fd);
    if (stat.isCharacterDevice() && stat.rdev === nullDevice) return '';
    if (!stat.isFile() || stat.size > longestFile) {
      const text = `Cannot look up users in ${path} of the container: it is no file of at most ${longestFile} bytes`;
      throw new EngineError('invalidArgument', text);
    }
    return firstBytes(named.path, stat.size);
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ENOTDIR')) return '';
    throw error;
  }
}

/** Never waits: not for the holder of a lease, nor for more of a file of /proc that has no size. */
function firstBytes(path: string, size: number): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(size);
    return bytes.toString('utf8', 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}
