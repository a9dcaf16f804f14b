import type { ProgressMessage } from '../../api/index.ts';

type Listener = (message: ProgressMessage) => void;

/** Lets sections that run at once speak in order: one is heard live when all before it have ended. */
export class OrderedProgress {
  readonly #listener: Listener;
  readonly #waiting = new Map<number, ProgressMessage[]>();
  readonly #ended = new Set<number>();
  #live = 0;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  /** The voice of the section at this position, from 0. */
  section(position: number): Section {
    const tell = (message: ProgressMessage) => {
      if (position === this.#live) {
        this.#listener(message);
        return;
      }
      const waiting = this.#waiting.get(position);
      if (waiting === undefined) this.#waiting.set(position, [message]);
      else waiting.push(message);
    };
    return {
      tell,
      print: (text) => {
        tell({ stream: text });
      },
      end: () => {
        this.#end(position);
      },
    };
  }

  /** Everything not heard yet, in order: for a build that failed. */
  flush(): void {
    for (const [, messages] of [...this.#waiting].sort(([a], [b]) => a - b)) messages.forEach(this.#listener);
    this.#waiting.clear();
  }

  #end(position: number): void {
    this.#ended.add(position);
    while (this.#ended.has(this.#live)) {
      this.#live += 1;
      this.#waiting.get(this.#live)?.forEach(this.#listener);
      this.#waiting.delete(this.#live);
    }
  }
}

export interface Section {
  readonly tell: Listener;
  readonly print: (text: string) => void;
  readonly end: () => void;
}
