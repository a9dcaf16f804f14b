import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { systemError } from './native.ts';
import { openPidfd } from './pidfd.ts';

const libc = koffi.load('libc.so.6');
const syscall = libc.func('long syscall(long number, long first, long second, long third)');
const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, const uint16_t *argument)');

const pidfdGetfd = 438;
const setWindowSize = 0x5414;

/** A process held by a pidfd: while the handle is open the pid cannot come to mean another one. */
export class ProcessHandle implements Disposable {
  readonly #fd: number;
  readonly #pid: number;

  /** Throws ESRCH when there is no such process. */
  constructor(pid: number) {
    const fd = openPidfd(pid);
    if (fd === undefined) throw Object.assign(new Error(`ESRCH: pidfd_open, ${pid}`), { code: 'ESRCH' });
    this.#pid = pid;
    this.#fd = fd;
  }

  /** A copy of one of the process's descriptors, the caller's to close. Throws EBADF when it is closed there. */
  descriptor(fd: number): number {
    const copy = Number(syscall(pidfdGetfd, this.#fd, fd, 0));
    if (copy < 0) throw systemError('pidfd_getfd', `${this.#pid}/${fd}`);
    return copy;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Sets the size of the terminal that `fd` is an end of; its foreground processes get a SIGWINCH if it is another. */
export function setTerminalSize(fd: number, size: { readonly height: number; readonly width: number }): void {
  const argument = new Uint16Array([size.height, size.width, 0, 0]);
  if ((ioctlCall(fd, setWindowSize, argument) as number) !== 0) throw systemError('ioctl', 'TIOCSWINSZ');
}
