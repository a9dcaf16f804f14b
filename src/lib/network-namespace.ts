import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const setnsCall = libc.func('int setns(int fd, int type)');
const cloneNewNet = 0x4000_0000;

/**
 * Runs a synchronous action with this thread inside the network namespace at `path`.
 *
 * `/proc/sys/net` and new sockets belong to that namespace meanwhile; files do not change. The action must not
 * return a promise: whatever it waits for would run in the old namespace again.
 */
export function inNetworkNamespace<T>(path: string, action: () => T): T {
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const target = openSync(path, 'r');
    try {
      enter(target, path);
    } finally {
      closeSync(target);
    }
    try {
      return action();
    } finally {
      // A thread left in a container's namespace would connect every later socket there.
      if ((setnsCall(own, cloneNewNet) as number) !== 0) process.abort();
    }
  } finally {
    closeSync(own);
  }
}

function enter(fd: number, path: string): void {
  if ((setnsCall(fd, cloneNewNet) as number) === 0) return;
  throw new Error(`setns ${path} failed with errno ${koffi.errno()}`);
}
