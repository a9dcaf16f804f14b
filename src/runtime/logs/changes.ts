import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Wakes its one reader when a log file, or the name of it, changes. */
export class Changes implements Disposable {
  readonly #watcher: ReturnType<typeof watch>;
  readonly #ended: AbortSignal;
  #changed = Promise.withResolvers<void>();
  readonly #wake = () => {
    this.#changed.resolve();
  };

  constructor(path: string, ended: AbortSignal) {
    const name = basename(path);
    this.#watcher = watch(dirname(path), (_event, changed) => {
      if (changed === name || changed === null) this.#wake();
    });
    this.#watcher.on('error', this.#wake);
    this.#ended = ended;
    ended.addEventListener('abort', this.#wake);
  }

  /** Resolves at the first change since the last call. */
  async next(): Promise<void> {
    if (this.#ended.aborted) return;
    await this.#changed.promise;
    this.#changed = Promise.withResolvers<void>();
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
    this.#ended.removeEventListener('abort', this.#wake);
  }
}
