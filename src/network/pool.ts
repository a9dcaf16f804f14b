/** What a pool keeps ready. */
export interface PoolOptions<T> {
  readonly size: number;
  /** Makes some at once; fewer where there is no room for more, but at least one. */
  build(count: number): Promise<T[]>;
  destroy(items: readonly T[]): Promise<void>;
  /** A refill in the background failed; the next `take` builds for itself and reports its own failure. */
  onError(error: unknown): void;
}

/** A few things made before they are asked for. */
export class Pool<T> {
  readonly #options: PoolOptions<T>;
  readonly #ready: T[] = [];
  #refill: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PoolOptions<T>) {
    this.#options = options;
  }

  /** One that stands ready, else the first that gets ready. */
  async take(): Promise<T> {
    for (;;) {
      const item = this.#ready.shift();
      if (item !== undefined) {
        this.#refillSoon();
        return item;
      }
      if (this.#refill === undefined) break;
      await this.#refill;
    }
    this.#refillSoon();
    const [item] = await this.#options.build(1);
    if (item === undefined) throw new Error('the pool built nothing');
    return item;
  }

  /** Starts filling; resolves when full. */
  async fill(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#refill ??= this.#build().then((isComplete) => {
      this.#refill = undefined;
      // What was taken meanwhile is missing again. After a failure only the next taker tries again.
      if (isComplete && this.#missing > 0) this.#refillSoon();
    });
    await this.#refill;
  }

  /** Stops refilling and gives back what stood ready. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#refill;
    await this.#options.destroy(this.#ready.splice(0));
  }

  /** The taker's own work goes first while there are some left. */
  #refillSoon(): void {
    if (this.#closed || this.#refill !== undefined) return;
    if (this.#ready.length <= 2) {
      void this.fill();
      return;
    }
    this.#timer ??= setTimeout(() => void this.fill(), 250).unref();
  }

  get #missing(): number {
    return this.#options.size - this.#ready.length;
  }

  /** Whether it made all that was missing. */
  async #build(): Promise<boolean> {
    const count = this.#missing;
    if (this.#closed || count <= 0) return true;
    try {
      const items = await this.#options.build(count);
      this.#ready.push(...items);
      return items.length === count;
    } catch (error) {
      this.#options.onError(error);
      return false;
    }
  }
}
