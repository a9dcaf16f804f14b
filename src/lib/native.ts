import { promisify } from 'node:util';
import koffi from 'koffi';
import { EngineError } from '../errors/index.ts';

/**
 * The system calls Node lacks and a spawned tool is too slow for. Every call throws an error that carries
 * `code` (the errno's name), like Node's own.
 */
const libc = koffi.load('libc.so.6');
const mountCall = libc.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const umountCall = libc.func('int umount2(const char *target, int flags)');
const flockCall = libc.func('int flock(int fd, int operation)');
const fallocateCall = libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
const syscallCall = libc.func('long syscall(long number)');

/** getpid(2) by the number of the x32 ABI. */
const x32Getpid = 0x4000_0027;

export const MountFlag = {
  readOnly: 0x1,
  noSuid: 0x2,
  noDev: 0x4,
  noExec: 0x8,
  remount: 0x20,
  bind: 0x1000,
  recursive: 0x4000,
  private: 0x40000,
  slave: 0x80000,
} as const;

export interface MountOptions {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  /** A sum of `MountFlag`s. */
  readonly flags?: number;
  /** The file system's own options, at most one page (4,095 bytes). */
  readonly data?: string;
}

/** mount(2). */
export function mount(options: MountOptions): void {
  const done = mountCall(
    options.source,
    options.target,
    options.type,
    options.flags ?? 0,
    options.data ?? null,
  ) as number;
  if (done !== 0) throw systemError('mount', options.target);
}

const detach = 2;

/** umount2(2) with MNT_DETACH; a target that is not mounted is no error. */
export function unmount(target: string): void {
  if ((umountCall(target, detach) as number) === 0) return;
  const error = systemError('umount', target);
  if (error.code !== 'EINVAL' && error.code !== 'ENOENT') throw error;
}

/** The same on another thread: the end of a writable mount waits for its file system to be written to the disk. */
export async function unmountAside(target: string): Promise<void> {
  // Why it failed is known on that thread only.
  if ((await callAside(umountCall, target, detach)) !== 0) unmount(target);
}

/** Makes a system call on another thread, whose errno stays there, and returns what it does. */
export function callAside(call: typeof umountCall, ...args: readonly unknown[]): Promise<number> {
  return (promisify(call.async) as (...args: readonly unknown[]) => Promise<number>)(...args);
}

/** fallocate(2): gives the file blocks for its first `bytes` without changing its length. */
export function allocate(fd: number, bytes: number): void {
  const keepSize = 1;
  if ((fallocateCall(fd, keepSize, 0, bytes) as number) !== 0) throw systemError('fallocate', String(fd));
}

/** flock(2) without waiting: false when another open file holds it. Closing the file releases it. */
export function tryLock(fd: number, kind: 'shared' | 'exclusive' = 'exclusive'): boolean {
  const nonBlocking = 4;
  if ((flockCall(fd, (kind === 'shared' ? 1 : 2) | nonBlocking) as number) === 0) return true;
  const error = systemError('flock', String(fd));
  if (error.code === 'EAGAIN') return false;
  throw error;
}

/** Whether this x86-64 kernel runs programs of the x32 ABI; most are built without it. */
export function kernelRunsX32(): boolean {
  return (syscallCall(x32Getpid) as number) >= 0 || koffi.errno() !== koffi.os.errno['ENOSYS'];
}

export interface SystemError extends Error {
  readonly code: string;
}

/** The error of the system call that koffi made last, or of an errno that came by another way. */
export function systemError(call: string, target: string, number = koffi.errno()): SystemError {
  const name = Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? `E${number}`;
  if (name === 'ENOSYS') throw new EngineError('unavailable', `${call}(2) is not supported by this kernel`);
  return Object.assign(new Error(`${name}: ${call} ${target}`), { code: name });
}
