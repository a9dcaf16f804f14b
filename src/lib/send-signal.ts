import { hasErrno } from '../errors/index.ts';

/** kill(2); below zero `pid` is a process group. False if it is gone already. */
export function sendSignal(pid: number, signal: NodeJS.Signals | number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ESRCH')) return false;
    throw error;
  }
}
