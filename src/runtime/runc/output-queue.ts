export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** Bytes of output held for a client before the process has to wait for it, as on a pipe. */
const highWater = 1 << 20;

/** Output on its way to one client. What it comes from is told to pause when the client lags behind. */
export class OutputQueue implements AsyncIterable<OutputChunk> {
  readonly #flow: { readonly pause: () => void; readonly resume: () => void };
  readonly #chunks: OutputChunk[] = [];
  #bytes = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(flow: { readonly pause: () => void; readonly resume: () => void }) {
    this.#flow = flow;
  }

  get ended(): boolean {
    return this.#ended;
  }

  push(chunk: OutputChunk): void {
    if (this.#ended) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.data.length;
    if (this.#bytes > highWater) this.#flow.pause();
    this.#wake?.();
  }

  /** What was pushed before is still read. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputChunk> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#bytes -= chunk.data.length;
        if (this.#bytes < highWater / 2) this.#flow.resume();
        yield chunk;
      } else if (this.#ended) {
        return;
      } else {
        const woken = Promise.withResolvers<void>();
        this.#wake = woken.resolve;
        await woken.promise;
        this.#wake = undefined;
      }
    }
  }
}
