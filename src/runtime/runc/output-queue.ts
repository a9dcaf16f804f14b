import type { Backlog } from './backlog.ts';

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
  /** What came after these, and what came when it took no more. */
  #backlog: Backlog | undefined;
  readonly #late: OutputChunk[] = [];
  #bytes = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(flow: { readonly pause: () => void; readonly resume: () => void }) {
    this.#flow = flow;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get hasBacklog(): boolean {
    return this.#backlog !== undefined;
  }

  push(chunk: OutputChunk): void {
    if (this.#ended) return;
    if (this.#backlog === undefined) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.data.length;
      if (this.#bytes > highWater) this.#flow.pause();
    } else if (this.#late.length > 0 || !this.#backlog.append(chunk)) {
      this.#late.push(chunk);
      this.#flow.pause();
    }
    this.#wake?.();
  }

  /** From here on what comes waits in `backlog`, now this queue's own, until the client has caught up. */
  divert(backlog: Backlog): void {
    this.#backlog = backlog;
    this.#flow.resume();
  }

  /** Nobody reads any more. */
  discard(): void {
    this.#chunks.length = 0;
    this.#late.length = 0;
    this.#backlog?.[Symbol.dispose]();
    this.#backlog = undefined;
    this.end();
  }

  /** What was pushed before is still read. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputChunk> {
    for (;;) {
      const chunk = this.#shift();
      if (chunk !== undefined) {
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

  #shift(): OutputChunk | undefined {
    const held = this.#chunks.shift();
    if (held !== undefined) {
      this.#bytes -= held.data.length;
      if (this.#bytes < highWater / 2 && this.#late.length === 0) this.#flow.resume();
      return held;
    }
    if (this.#backlog === undefined) return undefined;
    const stored = this.#backlog.shift();
    if (stored !== undefined) return stored;
    this.#backlog[Symbol.dispose]();
    this.#backlog = undefined;
    const late = this.#late.splice(0);
    this.#chunks.push(...late);
    this.#bytes = late.reduce((sum, { data }) => sum + data.length, 0);
    return this.#shift();
  }
}
