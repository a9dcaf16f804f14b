import { type FSWatcher, statSync, watch } from 'node:fs';
import { hasErrno } from '../../errors/index.ts';

export interface GrowthWatchOptions {
  readonly path: string;
  /** Bytes from which on a file is full. */
  readonly limit: number;
  /** Called when the file is full; false if that is not over yet. No look is taken before it has settled; it does not reject. */
  readonly onFull: () => Promise<boolean>;
}

/** What no container is expected to write in a second. */
const fastestBytesPerMs = 500_000;
const soonestMs = { least: 10, most: 200 };
const latestMs = { least: 50, most: 500 };

/**
 * Tells when a file that somebody else writes has grown to a limit. One that nobody writes costs nothing: the kernel
 * tells of the first write; while there are more, a look is taken when at its pace the file would be half way to the
 * limit, and at least every half second.
 */
export class GrowthWatch implements Disposable {
  readonly #options: GrowthWatchOptions;
  readonly #soonestMs: number;
  readonly #latestMs: number;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #seen = { bytes: -1, atMs: 0 };
  #closed = false;

  constructor(options: GrowthWatchOptions) {
    this.#options = options;
    const fillsInMs = options.limit / fastestBytesPerMs;
    this.#soonestMs = clamp(fillsInMs, soonestMs);
    this.#latestMs = clamp(fillsInMs * 2.5, latestMs);
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  #look(): void {
    const { path, limit, onFull } = this.#options;
    const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    const before = this.#seen;
    this.#seen = { bytes, atMs: performance.now() };
    if (bytes >= limit) {
      void onFull().then((done) => {
        this.#lookIn(done ? this.#soonestMs : this.#latestMs);
      });
    } else if (bytes === before.bytes) {
      this.#sleep();
    } else {
      this.#lookIn(this.#pauseAfter(before));
    }
  }

  /** Half the time in which it would be full at its pace of late. */
  #pauseAfter(before: { readonly bytes: number; readonly atMs: number }): number {
    const { bytes, atMs } = this.#seen;
    const grown = bytes - before.bytes;
    if (before.bytes < 0 || grown <= 0) return this.#soonestMs;
    const halfMs = ((this.#options.limit - bytes) * (atMs - before.atMs)) / grown / 2;
    return clamp(halfMs, { least: soonestMs.least, most: this.#latestMs });
  }

  #lookIn(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#look();
    }, ms);
    this.#timer.unref();
  }

  /** Until the next write. */
  #sleep(): void {
    const wake = () => {
      this.#watcher?.close();
      this.#watcher = undefined;
      this.#lookIn(this.#soonestMs);
    };
    try {
      this.#watcher = watch(this.#options.path, { persistent: false }, wake);
      this.#watcher.on('error', wake);
    } catch (error) {
      // No such file yet, or the kernel watches no more of them for us.
      if (!['ENOENT', 'ENOSPC', 'EMFILE'].some((code) => hasErrno(error, code))) throw error;
      this.#lookIn(this.#latestMs);
      return;
    }
    // It may have been written between the look and the watch.
    if (statSync(this.#options.path, { throwIfNoEntry: false })?.size !== this.#seen.bytes) wake();
  }
}

function clamp(value: number, { least, most }: { readonly least: number; readonly most: number }): number {
  return Math.min(most, Math.max(least, value));
}
