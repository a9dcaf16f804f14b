import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { basename, dirname, relative } from 'node:path';
import koffi from 'koffi';
import { hasErrno } from '../errors/index.ts';
import { systemError } from './native.ts';
import { resolveInRoot } from './root-path.ts';

const libc = koffi.load('libc.so.6');
const openat2Call = libc.func(
  'long syscall(long number, int directory, const uint8_t *path, const uint64_t *how, size_t size)',
);
/** The same on every architecture. */
const openat2 = 437;
const noMagicLinks = 0x02;
const beneath = 0x08;
const inRoot = 0x10;
/** Not in Node's constants. */
const pathOnly = 0o10000000;
const closeOnExec = 0o2000000;

export interface OpenInRootOptions {
  /** open(2) flags; default O_PATH. Close-on-exec is always added. */
  readonly flags?: number;
  /** Mode of a file that O_CREAT makes, less the umask. */
  readonly mode?: number;
  /** False opens a symlink at the end itself (with O_PATH) or fails with ELOOP. Default true. */
  readonly followLast?: boolean;
  /** A path that would leave the root fails with EXDEV instead of going on from it. Default false. */
  readonly strict?: boolean;
}

/** A file descriptor that dispose closes. */
export interface OpenFile extends Disposable {
  readonly fd: number;
  /** A path to the file that holds while it is open, whatever happens to its name. */
  readonly path: string;
}

/**
 * Opens `path` as if `root` were the root directory (openat2 with RESOLVE_IN_ROOT): `..`, absolute symlinks and
 * renames by others at the same time cannot lead out of it. Throws errors with Node's errno codes.
 */
export function openInRoot(
  root: string | OpenFile,
  path: string | Buffer,
  options: OpenInRootOptions = {},
): OpenFile {
  const { flags = pathOnly, mode = 0, followLast = true, strict = false } = options;
  const last = followLast ? 0 : constants.O_NOFOLLOW;
  const how = new BigUint64Array([
    BigInt(flags | last | closeOnExec),
    BigInt((flags & constants.O_CREAT) === 0 ? 0 : mode),
    BigInt((strict ? beneath : inRoot) | noMagicLinks),
  ]);
  const bytes = Buffer.concat([path.length === 0 ? Buffer.from('.') : Buffer.from(path), Buffer.alloc(1)]);
  using own = typeof root === 'string' ? openPath(root) : undefined;
  const directory = typeof root === 'string' ? (own?.fd ?? -1) : root.fd;
  for (;;) {
    const fd = openat2Call(openat2, directory, bytes, how, how.byteLength) as number;
    if (fd >= 0) return openFile(fd);
    const error = systemError('openat2', path.toString());
    // A rename elsewhere on the way made the kernel give up.
    if (error.code !== 'EAGAIN' && error.code !== 'EINTR') throw error;
  }
}

/**
 * Opens a directory or file at a path with `openInRoot`, first made if it is not there, with the directories above it.
 * Symlinks on the way are followed, one that leads to nothing is made to lead somewhere.
 */
export function makeInRoot(root: OpenFile, path: string, kind: 'directory' | 'file'): OpenFile {
  const resolved = relative(root.path, resolveInRoot(root.path, path));
  try {
    return openInRoot(root, resolved, { followLast: false });
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') || resolved === '') throw error;
  }
  using above = makeInRoot(root, dirname(resolved), 'directory');
  const name = `${above.path}/${basename(resolved)}`;
  if (kind === 'directory') mkdirSync(name, { mode: 0o755 });
  else
    closeSync(
      openSync(name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o755),
    );
  return openInRoot(above, basename(resolved), { followLast: false });
}

/** Opens a path of ours, such as a root itself, for use with `openInRoot`. */
export function openPath(path: string): OpenFile {
  return openFile(openSync(path, pathOnly));
}

function openFile(fd: number): OpenFile {
  let open = true;
  return {
    fd,
    path: `/proc/self/fd/${fd}`,
    [Symbol.dispose]: () => {
      if (!open) return;
      open = false;
      closeSync(fd);
    },
  };
}
