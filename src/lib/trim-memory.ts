import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const mallocTrim = libc.func('int malloc_trim(size_t pad)');

/** Nothing to do for this long is idle. */
const idleMs = 500;
/** Growth worth a collection, bytes. */
const growth = 16 << 20;

/**
 * Gives back to the system, when there is nothing to do, what a build or a load needed for a moment: Node collects
 * only when it allocates, and malloc keeps what is freed.
 */
export class MemoryTrimmer {
  readonly #collect: () => void;
  #timer: NodeJS.Timeout | undefined;
  #restingBytes = process.memoryUsage.rss();

  constructor() {
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as () => void;
  }

  /** Something was done. */
  used(): void {
    if (this.#timer !== undefined) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.#idle(), idleMs).unref();
  }

  #idle(): void {
    this.#timer = undefined;
    if (process.memoryUsage.rss() < this.#restingBytes + growth) return;
    this.#collect();
    mallocTrim(0);
    this.#restingBytes = process.memoryUsage.rss();
  }
}
