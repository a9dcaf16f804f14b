/** An answer may be as many times older than what it took to find it out, */
const ageFactor = 20;
/** but no older than this; */
const mostAgeMs = 60_000;
/** what takes longer than this is not waited for while there is an answer that is not too old, */
const patienceMs = 1_000;
/** that is this. */
const mostStaleMs = 600_000;

interface Measurement {
  readonly value: number;
  readonly atMs: number;
  readonly tookMs: number;
}

/**
 * Sizes of trees that change without our knowing (volumes, writable layers), remembered for a time that grows with
 * what they cost: what is counted in 1 ms is counted again 20 ms later, what takes seconds at most every minute, and
 * meanwhile in the background. So asking often costs little, and no answer is older than ten minutes.
 */
export class Measurements {
  readonly #known = new Map<string, Measurement>();
  readonly #pending = new Map<string, Promise<number>>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** What `measure` gives for the key, now or as long ago as may be. Those who ask at once wait for one measurement. */
  async get(key: string, measure: () => Promise<number>): Promise<number> {
    const known = this.#known.get(key);
    if (known === undefined) return this.#measure(key, measure);
    const ageMs = this.#now() - known.atMs;
    if (ageMs <= Math.min(known.tookMs * ageFactor, mostAgeMs)) return known.value;
    const fresh = this.#measure(key, measure);
    if (known.tookMs <= patienceMs || ageMs > mostStaleMs) return fresh;
    fresh.catch(() => undefined); // Whoever asks later hears of it.
    return known.value;
  }

  /** Forgets all keys but these. */
  retain(keys: ReadonlySet<string>): void {
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
  }

  #measure(key: string, measure: () => Promise<number>): Promise<number> {
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    const run = async () => {
      try {
        const began = this.#now();
        const value = await measure();
        const atMs = this.#now();
        this.#known.set(key, { value, atMs, tookMs: atMs - began });
        return value;
      } finally {
        this.#pending.delete(key);
      }
    };
    const measuring = run();
    this.#pending.set(key, measuring);
    return measuring;
  }
}
