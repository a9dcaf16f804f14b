import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import koffi from 'koffi';
import { EngineError } from '../errors/index.ts';
import { callAside, systemError } from './native.ts';

/** What Node cannot do to files, or only with less precision. Errors carry `code`, like Node's own. */
const libc = koffi.load('libc.so.6');
const mknodCall = libc.func('int mknod(const uint8_t *path, unsigned int mode, unsigned long device)');
const utimensatCall = libc.func(
  'int utimensat(int directory, const uint8_t *path, const int64_t *times, int flags)',
);
const futimensCall = libc.func('int futimens(int fd, const int64_t *times)');
const fsetxattrCall = libc.func(
  'int fsetxattr(int fd, const char *name, const uint8_t *value, size_t size, int flags)',
);
const syncfsCall = libc.func('int syncfs(int fd)');
const fallocateCall = libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
const unreadCall = libc.func('int ioctl(int fd, unsigned long request, _Inout_ int *bytes)');
const flagsCall = libc.func('int ioctl(int fd, unsigned long request, _Inout_ long *flags)');

const currentDirectory = -100;
const noFollow = 0x100;
/** FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of 64-bit systems, and FS_TOPDIR_FL. */
const getFlags = 0x80086601;
const setFlags = 0x40086602;
const topOfHierarchies = 0x20000;
const unread = 0x541b;
/** FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE. */
const punch = 0x3;

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** mknod(2): `mode` holds the file type (S_IFCHR, S_IFBLK, S_IFIFO) and permissions, less the umask. */
export function makeNode(
  path: string | Buffer,
  mode: number,
  device: DeviceNumber = { major: 0, minor: 0 },
): void {
  const { major, minor } = device;
  const encoded =
    ((BigInt(major) & 0xfffff000n) << 32n) |
    ((BigInt(major) & 0xfffn) << 8n) |
    ((BigInt(minor) & 0xffffff00n) << 12n) |
    (BigInt(minor) & 0xffn);
  if ((mknodCall(pathBytes(path), mode, encoded) as number) !== 0) throw systemError('mknod', String(path));
}

/** Sets access and modification time of a file, or of a symlink itself. */
export function setTimes(path: string | Buffer, nanoseconds: bigint): void {
  if ((utimensatCall(currentDirectory, pathBytes(path), timesOf(nanoseconds), noFollow) as number) !== 0) {
    throw systemError('utimensat', String(path));
  }
}

/** The same for an open file. */
export function setTimesOf(fd: number, nanoseconds: bigint): void {
  if ((futimensCall(fd, timesOf(nanoseconds)) as number) !== 0) throw systemError('futimens', String(fd));
}

/** Writes everything of the file system that holds `directory` to the disk, on another thread. */
export async function syncFileSystem(directory: string): Promise<void> {
  await using opened = await open(directory, 'r');
  if ((await callAside(syncfsCall, opened.fd)) !== 0)
    throw new EngineError('internal', 'Cannot write the file system to the disk');
}

/**
 * Tells the file system that the trees in a directory have nothing to do with each other (`chattr +T`), so that ext4
 * puts them apart instead of side by side. A hint: file systems that do not know it stay as they are.
 */
export function separateTrees(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    const flags = [0];
    if ((flagsCall(fd, getFlags, flags) as number) !== 0) return;
    flagsCall(fd, setFlags, [(flags[0] ?? 0) | topOfHierarchies]);
  } finally {
    closeSync(fd);
  }
}

/** Sets an extended attribute of an open file. */
export function setXattrOf(fd: number, name: string, value: Buffer): void {
  if ((fsetxattrCall(fd, name, value, value.length, 0) as number) !== 0) {
    throw systemError('fsetxattr', name);
  }
}

/** Bytes that were written into a pipe, of which `fd` is either end, and not read yet. */
export function unreadBytes(fd: number): number {
  const bytes = [0];
  if ((unreadCall(fd, unread, bytes) as number) !== 0) throw systemError('ioctl', 'FIONREAD');
  return bytes[0] ?? 0;
}

/**
 * Gives the first `length` bytes of an open file back to the file system: they read as zeroes, what follows keeps its
 * place. Throws EOPNOTSUPP where the file system cannot.
 */
export function dropHead(fd: number, length: number): void {
  if ((fallocateCall(fd, punch, 0, length) as number) !== 0) throw systemError('fallocate', String(fd));
}

function timesOf(nanoseconds: bigint): BigInt64Array {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = (nanoseconds - rest) / 1_000_000_000n;
  return new BigInt64Array([seconds, rest, seconds, rest]);
}

function pathBytes(path: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(path), Buffer.alloc(1)]);
}
