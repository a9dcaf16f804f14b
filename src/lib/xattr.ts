import koffi from 'koffi';
import { systemError } from './native.ts';

const libc = koffi.load('libc.so.6');
const getCall = libc.func(
  'long lgetxattr(const uint8_t *path, const char *name, _Out_ uint8_t *value, size_t size)',
);

const listCall = libc.func('long llistxattr(const uint8_t *path, _Out_ uint8_t *list, size_t size)');

/** Names of a file's extended attributes (not of what a symlink points to). */
export function listXattrs(path: string | Buffer): string[] {
  // The kernel's limit, after a size that nearly always does.
  for (const room of [1024, 65_536]) {
    const list = Buffer.allocUnsafe(room);
    const size = listCall(pathBytes(path), list, room) as number;
    if (size >= 0) return size === 0 ? [] : list.toString('latin1', 0, size - 1).split('\0');
    const error = systemError('llistxattr', String(path));
    if (error.code === 'EOPNOTSUPP') return [];
    if (error.code !== 'ERANGE' || room === 65_536) throw error;
  }
  return [];
}

/** An extended attribute of a file (not of what a symlink points to); `undefined` if it has none of that name. */
export function getXattr(path: string | Buffer, name: string): Buffer | undefined {
  // The kernel allows no larger value.
  const value = Buffer.alloc(65_536);
  const size = getCall(pathBytes(path), name, value, value.length) as number;
  if (size >= 0) return value.subarray(0, size);
  const error = systemError('lgetxattr', String(path));
  if (error.code === 'ENODATA' || error.code === 'EOPNOTSUPP') return undefined;
  throw error;
}

function pathBytes(path: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(path), Buffer.alloc(1)]);
}
