import koffi from 'koffi';
import { systemError } from './native.ts';

const libc = koffi.load('libc.so.6');
const getCall = libc.func(
  'long lgetxattr(const uint8_t *path, const char *name, _Out_ uint8_t *value, size_t size)',
);

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
