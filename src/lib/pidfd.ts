import koffi from 'koffi';
import { hasErrno } from '../errors/index.ts';
import { systemError } from './native.ts';

const syscall = koffi.load('libc.so.6').func('long syscall(long number, long pid, long flags)');
const pidfdOpen = 434;

/**
 * pidfd_open(2): a descriptor that stays this process's, the caller's to close. `undefined` if there is no such process,
 * or only the number is left of it: while it is being reaped, and where a thread has got it, kernels answer EINVAL or
 * ENOENT.
 */
export function openPidfd(pid: number): number | undefined {
  const fd = Number(syscall(pidfdOpen, pid, 0));
  if (fd >= 0) return fd;
  const error = systemError('pidfd_open', String(pid));
  if (['ESRCH', 'EINVAL', 'ENOENT'].some((errno) => hasErrno(error, errno))) return undefined;
  throw error;
}
