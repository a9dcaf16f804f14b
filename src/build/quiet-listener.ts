import type { ProgressMessage } from '../api/index.ts';
import type { BuildListener } from './builder.ts';
import { lengthOf } from './solve/progress.ts';

/** Characters; from half of it to all of it is kept. */
const mostKept = 8 << 20;

/** Keeps what a quiet build says in case that it fails: the last of it, if it is much. */
export class QuietListener implements BuildListener {
  readonly #most: number;
  #older: ProgressMessage[] = [];
  #newer: ProgressMessage[] = [];
  #length = 0;
  #cut = false;

  constructor(most = mostKept) {
    this.#most = most;
  }

  tell(message: ProgressMessage): void {
    this.#newer.push(message);
    this.#length += lengthOf(message);
    if (this.#length < this.#most / 2) return;
    this.#cut ||= this.#older.length > 0;
    this.#older = this.#newer;
    this.#newer = [];
    this.#length = 0;
  }

  async ready(): Promise<void> {
    // There is always room: the oldest makes it.
  }

  tellAll(listener: BuildListener): void {
    if (this.#cut) listener.tell({ stream: '[the beginning of the output was too long to keep]\n' });
    for (const message of [...this.#older, ...this.#newer]) listener.tell(message);
  }
}
