import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { KeyedLock } from '../../lib/keyed-lock.ts';
import { ProcessHandle, setTerminalSize } from '../../lib/process-handle.ts';
import { isMonitorOf, monitorPid } from './exits.ts';
import { readMeta } from './layout.ts';

export interface Size {
  readonly height: number;
  readonly width: number;
}

export interface TerminalTarget {
  /** The monitor's. */
  readonly directory: string;
  /** For the error. */
  readonly what: string;
  /** The error where there is no such directory. */
  readonly missing: () => EngineError;
}

/**
 * Sets the size of terminals, on a copy of the monitor's own end: conmon's control fifo would do it some time later,
 * and takes one of two lines that arrive together twice. Sizes of one terminal are set in the order asked for.
 */
export class Terminals {
  readonly #locks = new KeyedLock();

  /** Does nothing where there is no terminal. `conflict` when the process has ended. */
  async resize(target: TerminalTarget, size: Size): Promise<void> {
    const { directory, what, missing } = target;
    using _held = await this.#locks.acquire(directory);
    const meta = readMeta(directory);
    if (meta === undefined) throw missing();
    if (!meta.terminal) return;
    if (!resizeOf(directory, size)) throw new EngineError('conflict', `${what} is not running`);
  }
}

/** False when the monitor is gone, or holds no terminal any more. */
function resizeOf(directory: string, size: Size): boolean {
  const pid = monitorPid(directory);
  if (!(pid > 0)) return false;
  try {
    using monitor = new ProcessHandle(pid);
    if (!isMonitorOf(pid, directory)) return false;
    const number = terminalOf(pid);
    if (number === undefined) return false;
    const fd = monitor.descriptor(number);
    try {
      setTerminalSize(fd, size);
    } finally {
      closeSync(fd);
    }
    return true;
  } catch (error) {
    // It ended meanwhile, or closed the terminal.
    if (['ESRCH', 'ENOENT', 'EBADF', 'EIO', 'ENOTTY'].some((code) => hasErrno(error, code))) return false;
    throw error;
  }
}

/** The number of a process's descriptor that is the master end of a terminal. */
function terminalOf(pid: number): number | undefined {
  const directory = `/proc/${pid}/fd`;
  const name = readdirSync(directory).find((fd) => /\/ptmx$/.test(readlinkSync(`${directory}/${fd}`)));
  return name === undefined ? undefined : Number(name);
}
