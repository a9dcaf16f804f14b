import type { ProgressMessage } from '../../api/index.ts';
import type { BuildListener } from '../builder.ts';

/** Characters that a section may say before its turn; what it says beyond has to wait. */
const mostWaiting = 1 << 20;

/** Lets sections that run at once speak in order: one is heard live when all before it have ended. */
export class OrderedProgress {
  readonly #listener: BuildListener;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended = new Set<number>();
  #live = 0;

  constructor(listener: BuildListener) {
    this.#listener = listener;
  }

  /** The voice of the section at this position, from 0. */
  section(position: number): Section {
    const tell = (message: ProgressMessage) => {
      if (position === this.#live) {
        this.#listener.tell(message);
        return;
      }
      const waiting = this.#waitingAt(position);
      waiting.messages.push(message);
      waiting.length += lengthOf(message);
    };
    return {
      tell,
      print: (text) => {
        tell({ stream: text });
      },
      ready: async () => {
        if (position !== this.#live) {
          const { length, turn } = this.#waitingAt(position);
          if (length < mostWaiting) return;
          await turn.promise;
        }
        await this.#listener.ready();
      },
      end: () => {
        this.#end(position);
      },
    };
  }

  /** Everything not heard yet, in order: for a build that failed. */
  flush(): void {
    for (const [, { messages }] of [...this.#waiting].sort(([a], [b]) => a - b)) this.#tellAll(messages);
    this.#waiting.clear();
  }

  #waitingAt(position: number): Waiting {
    let waiting = this.#waiting.get(position);
    if (waiting === undefined) {
      waiting = { messages: [], length: 0, turn: Promise.withResolvers() };
      this.#waiting.set(position, waiting);
    }
    return waiting;
  }

  #end(position: number): void {
    this.#ended.add(position);
    while (this.#ended.has(this.#live)) {
      this.#live += 1;
      const waiting = this.#waiting.get(this.#live);
      this.#waiting.delete(this.#live);
      this.#tellAll(waiting?.messages ?? []);
      waiting?.turn.resolve();
    }
  }

  #tellAll(messages: readonly ProgressMessage[]): void {
    for (const message of messages) this.#listener.tell(message);
  }
}

interface Waiting {
  readonly messages: ProgressMessage[];
  length: number;
  readonly turn: PromiseWithResolvers<void>;
}

export interface Section extends BuildListener {
  readonly print: (text: string) => void;
  readonly end: () => void;
}

/** Roughly what a message holds. */
export function lengthOf(message: ProgressMessage): number {
  return 100 + (message.stream?.length ?? 0);
}
