import { readFile } from 'node:fs/promises';
import { hasErrno } from '../../errors/index.ts';

const sigkill = 9;
const sigstop = 19;

/**
 * Whether a signal from outside would have no effect on a process, by its `/proc/PID/status`. The first process of a
 * PID namespace gets only signals it has a handler for, as the kernel protects it; any other, those it does not ignore.
 * A signal it blocks waits until it is asked for, which is how an init does it. [proc(5), pid_namespaces(7)]
 */
export function isDeaf(status: string, signal: number): boolean {
  if (signal === sigkill || signal === sigstop) return false;
  const isIn = (mask: string) => (BigInt(`0x${field(status, mask)}`) >> BigInt(signal - 1)) % 2n === 1n;
  if (isIn('SigBlk')) return false;
  const isFirst = field(status, 'NSpid').split(/\s+/).at(-1) === '1';
  return isFirst ? !isIn('SigCgt') : isIn('SigIgn');
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '0';
}

/** rt_sigtimedwait(2): while a process waits in it, its status does not show the signals that it blocks and awaits. */
const waitForSignal: Readonly<Record<string, string>> = { x64: '128', arm64: '137' };

/** `isDeaf` of a live process; false for one that is gone, and for one that awaits signals, as an init does. */
export async function isDeafProcess(pid: number, signal: number): Promise<boolean> {
  try {
    if (!isDeaf(await readFile(`/proc/${pid}/status`, 'utf8'), signal)) return false;
    const [call] = (await readFile(`/proc/${pid}/syscall`, 'utf8')).split(' ');
    return call !== waitForSignal[process.arch];
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ESRCH')) return false;
    throw error;
  }
}
