import { existsSync, type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { monitorFiles } from './layout.ts';

/**
 * Tells once that the kernel has killed for memory, which a monitor notes in its directory: at once, also of what it
 * noted before. All watches of the process share one inotify instance.
 */
export class OomWatch implements Disposable {
  readonly #file: string;
  readonly #told: () => void;
  #watcher: FSWatcher | undefined;

  constructor(directory: string, told: () => void) {
    this.#file = join(directory, monitorFiles.oom);
    this.#told = told;
    try {
      this.#watcher = watch(directory, () => {
        this.#look();
      });
      this.#watcher.on('error', () => {
        this[Symbol.dispose]();
      });
    } catch {
      // The container has just been removed, or the kernel gives no more watches: the exit will tell.
    }
    this.#look();
  }

  #look(): void {
    if (this.#watcher === undefined || !existsSync(this.#file)) return;
    this[Symbol.dispose]();
    this.#told();
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
