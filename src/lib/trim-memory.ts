import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import koffi from 'koffi';
import { releaseProgramPages } from './program-pages.ts';

const libc = koffi.load('libc.so.6');
const mallocTrim = libc.func('int malloc_trim(size_t pad)');

/** Nothing to do for this long is idle. */
const idleMs = 500;
/** By then what the work left behind, closing files and ended streams, is garbage too. */
const settledMs = 3000;
/** Growth worth a collection, pages of 4 KiB. */
const growth = (8 << 20) / 4096;

/**
 * Gives back to the system, when there is nothing to do, what starting, a build or a load needed for a moment: Node
 * collects only when it allocates, malloc keeps what is freed, and the program's pages stay mapped.
 */
export class MemoryTrimmer {
  readonly #collect: () => void;
  #timer: NodeJS.Timeout | undefined;
  #settled: NodeJS.Timeout | undefined;
  #restingPages = 0;

  constructor() {
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as () => void;
  }

  /** Something was done. */
  used(): void {
    clearTimeout(this.#settled);
    if (this.#timer !== undefined) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.#idle(), idleMs).unref();
  }

  #idle(): void {
    this.#timer = undefined;
    if (ownPages() < this.#restingPages + growth) return;
    this.#trim();
    this.#settled = setTimeout(() => this.#trim(), settledMs).unref();
  }

  #trim(): void {
    this.#collect();
    mallocTrim(0);
    releaseProgramPages();
    this.#restingPages = ownPages();
  }
}

/** Resident pages that are this process's alone. */
function ownPages(): number {
  const [, resident = 0, ofFiles = 0] = readFileSync('/proc/self/statm', 'utf8').split(' ').map(Number);
  return resident - ofFiles;
}
