import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, hasErrno } from '../../errors/index.ts';

export interface Size {
  readonly height: number;
  readonly width: number;
}

/**
 * conmon, woken for two lines at once, takes the first one twice: it gets one at a time. On a machine too busy for
 * that gap the last line of several is told again a while later. [conmon src/ctrl.c]
 */
const gapMs = 100;
const againMs = 200;

/** Resizes terminals through their monitors' control fifos. The last size asked for always arrives. */
export class Resizer {
  readonly #wanted = new Map<string, Size>();
  readonly #running = new Map<string, Promise<void>>();

  async resize(directory: string, size: Size, what: string): Promise<void> {
    this.#wanted.set(directory, size);
    const running = this.#running.get(directory);
    if (running !== undefined) return running;
    const work = this.#work(directory, what);
    this.#running.set(directory, work);
    return work;
  }

  async #work(directory: string, what: string): Promise<void> {
    let lines = 0;
    let last: Size | undefined;
    try {
      for (;;) {
        const size = this.#wanted.get(directory);
        if (size === undefined) break;
        last = size;
        lines += 1;
        this.#wanted.delete(directory);
        await writeControl(directory, `1 ${size.height} ${size.width}\n`, what);
        await delay(gapMs);
      }
    } finally {
      this.#running.delete(directory);
      this.#wanted.delete(directory);
    }
    if (lines > 1 && last !== undefined) this.#again(directory, last, what);
  }

  #again(directory: string, size: Size, what: string): void {
    const timer = setTimeout(() => {
      // A newer size is on its way, or the terminal is gone.
      if (this.#running.has(directory)) return;
      this.resize(directory, size, what).catch(() => undefined);
    }, againMs);
    timer.unref();
  }
}

async function writeControl(directory: string, line: string, what: string): Promise<void> {
  try {
    const fifo = await open(join(directory, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      await fifo.write(line);
    } finally {
      await fifo.close();
    }
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ENXIO') && !hasErrno(error, 'EPIPE')) throw error;
    throw new EngineError('conflict', `${what} is not running`, { cause: error });
  }
}
