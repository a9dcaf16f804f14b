import { closeSync, constants, openSync, statSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { unreadBytes } from '../../lib/file-calls.ts';
import { KeyedLock } from '../../lib/keyed-lock.ts';
import type { LogFileIdentity } from '../oci-runtime.ts';

/** Lines of conmon's control fifo: a kind and two numbers. [conmon src/ctrl.c process_terminal_ctrl_line] */
const reopenLine = '2 0 0\n';
/** A kind that conmon does not know and passes over. */
const idleLine = '0 0 0\n';

const patienceMs = 5000;
const longestPauseMs = 20;

export interface MonitorControl {
  readonly id: string;
  readonly fifo: string;
  /** The error when nobody reads from the fifo: the monitor has ended. */
  readonly missing: () => EngineError;
}

/**
 * Asks monitors to reopen their logs. conmon then closes its file, creates NAME.tmp and renames it over NAME, each
 * time it is asked: a request too many would take what was written since the one before. So one is only sent when
 * none can be on its way, from this engine or from one that was killed.
 */
export class LogReopenings {
  readonly #locks = new KeyedLock();
  /** Containers whose monitors have done all that was asked of them. */
  readonly #settled = new Set<string>();

  async reopen(log: LogFileIdentity, { id, fifo, missing }: MonitorControl): Promise<void> {
    using _held = await this.#locks.acquire(id);
    if (isReplaced(log)) return;
    const fd = openFifo(fifo, missing);
    // An end in the middle of it leaves what was written unread for ever.
    const assertRead = () => {
      closeSync(openFifo(fifo, missing));
    };
    try {
      if (!this.#settled.delete(id)) {
        await settle(fd, assertRead);
        if (isReplaced(log)) return;
      }
      // conmon ends, and the container with it, if it cannot create this file: on a full disk it is we who fail.
      closeSync(openSync(`${log.path}.tmp`, 'a', 0o600));
      writeSync(fd, reopenLine);
      await until(() => isReplaced(log), assertRead);
      this.#settled.add(id);
    } catch (error) {
      if (hasErrno(error, 'EPIPE')) throw missing();
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** The container's monitor has ended. */
  forget(id: string): void {
    this.#settled.delete(id);
  }
}

/**
 * Waits until the monitor has done all that was asked of it. It reads the fifo and acts on what it read in one turn,
 * so when it has read a second time, whatever it had read before is done.
 */
async function settle(fd: number, assertRead: () => void): Promise<void> {
  await until(() => unreadBytes(fd) === 0, assertRead);
  writeSync(fd, idleLine);
  await until(() => unreadBytes(fd) === 0, assertRead);
}

function openFifo(path: string, missing: () => EngineError): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, 'ENXIO') || hasErrno(error, 'ENOENT')) throw missing();
    throw error;
  }
}

function isReplaced({ path, ino }: LogFileIdentity): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino !== ino;
}

/** conmon answers within a millisecond, and nothing in the kernel tells when it has: a short wait, then longer ones. */
async function until(done: () => boolean, assertRead: () => void): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let pauseMs = 1; !done(); pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    assertRead();
    if (Date.now() > deadline) {
      throw new EngineError(
        'unavailable',
        `Cannot reopen a log: its monitor did not answer in ${patienceMs} ms`,
      );
    }
    await delay(pauseMs);
  }
}
