import { EngineError } from '../errors/index.ts';

/** Lets one prune of a kind run at a time: another that comes meanwhile is a `conflict`, as in Docker. */
export class OnePrune {
  #running = false;

  async run<T>(prune: () => Promise<T>): Promise<T> {
    if (this.#running) throw new EngineError('conflict', 'a prune operation is already running');
    this.#running = true;
    try {
      return await prune();
    } finally {
      this.#running = false;
    }
  }
}
