/** What a pool keeps ready. */
export interface PoolOptions<T> {
  /** How many to keep at this time; `ready` stand ready now. */
  size(ready: number): number;
  /** Makes so many at once. Whatever is scarce is taken before it returns. */
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
    // First: the refill could take the last of what is scarce.
    const building = this.#options.build(1);
    this.#refillSoon();
    const [item] = await building;
    if (item === undefined) throw new Error('the pool built nothing');
    return item;
  }

  /** Starts filling; resolves when full. */
  async fill(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#refill ??= this.#build().then((isBuilt) => {
      this.#refill = undefined;
      // What was taken meanwhile is missing again. After a failure only the next taker tries again.
      if (isBuilt && this.#missing > 0) this.#refillSoon();
    });
    await this.#refill;
  }

  /** Gives back what stands ready, or will in a moment; the next `take` fills again. */
  async drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#refill;
    await this.#options.destroy(this.#ready.splice(0));
  }

  /** Stops refilling and gives back what stood ready. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.drain();
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
    return this.#options.size(this.#ready.length) - this.#ready.length;
  }

  /** Whether it made what was missing. */
  async #build(): Promise<boolean> {
    const count = this.#missing;
    if (this.#closed || count <= 0) return true;
    try {
      this.#ready.push(...(await this.#options.build(count)));
      return true;
    } catch (error) {
      this.#options.onError(error);
      return false;
    }
  }
}
