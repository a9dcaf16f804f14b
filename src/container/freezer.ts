import { isCode } from '../errors/index.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import type { OciRuntime } from '../runtime/index.ts';
import type { HealthMonitor } from './health-monitor.ts';
import type { ContainerStore } from './store.ts';
import { assertCan } from './transitions.ts';

export interface FreezerDeps {
  readonly store: ContainerStore;
  readonly runtime: OciRuntime;
  readonly health: HealthMonitor;
  readonly locks: KeyedLock;
}

/** Freezes containers and lets them go on: when a client says so, and while a commit reads their files. */
export class Freezer {
  readonly #deps: FreezerDeps;

  constructor(deps: FreezerDeps) {
    this.#deps = deps;
  }

  async pause(id: string): Promise<void> {
    const { store, runtime, locks } = this.#deps;
    using _held = await locks.acquire(id);
    assertCan('pause', store.current(id));
    // A commit may have it frozen already, and leaves it so then.
    if (!(await this.#isFrozen(id))) await runtime.pause(id);
    this.#setPaused(id, true);
  }

  async unpause(id: string): Promise<void> {
    const { store, runtime, locks } = this.#deps;
    using _held = await locks.acquire(id);
    const container = store.current(id);
    assertCan('unpause', container);
    // The commit lets it go on when it has read its files.
    if (container.state.committing !== true) await runtime.resume(id);
    this.#setPaused(id, false);
  }

  /** Freezes a running container until the result is disposed of. One that is paused stays so, one that ends may. */
  async forCommit(id: string): Promise<AsyncDisposable> {
    const { store, runtime, health, locks } = this.#deps;
    using _held = await locks.acquire(id);
    const { state } = store.current(id);
    const hold = { [Symbol.asyncDispose]: () => this.#endCommit(id) };
    if (!state.running || state.restarting || state.paused) return hold;
    // The row first: a start of the engine thaws what a commit that was cut off left frozen.
    store.transition(id, (before) => ({ ...before, committing: true }));
    health.paused(id, true);
    try {
      await whileItRuns(() => runtime.pause(id));
    } catch (error) {
      this.#forgetCommit(id);
      throw error;
    }
    return hold;
  }

  async #endCommit(id: string): Promise<void> {
    const { store, locks } = this.#deps;
    using _held = await locks.acquire(id);
    const container = store.get(id);
    if (container?.state.committing !== true) return;
    if (!container.state.paused) await this.#thaw(id);
    this.#forgetCommit(id);
  }

  #forgetCommit(id: string): void {
    const { store, health } = this.#deps;
    const { state } = store.transition(id, ({ committing: _done, ...rest }) => rest);
    health.paused(id, state.paused);
  }

  /** Lets a container go on so that it sees a signal. The caller holds its lock. */
  async letGo(id: string): Promise<void> {
    await this.#thaw(id);
    if (this.#deps.store.get(id)?.state.paused === true) this.#setPaused(id, false);
  }

  async #isFrozen(id: string): Promise<boolean> {
    return (await this.#deps.runtime.state(id))?.status === 'paused';
  }

  async #thaw(id: string): Promise<void> {
    if (await this.#isFrozen(id)) await whileItRuns(() => this.#deps.runtime.resume(id));
  }

  #setPaused(id: string, paused: boolean): void {
    const { store, health } = this.#deps;
    const { state } = store.transition(id, (before) => ({ ...before, paused }), {
      action: paused ? 'pause' : 'unpause',
    });
    health.paused(id, paused || state.committing === true);
  }
}

/** One that has ended meanwhile is neither frozen nor needs to be thawed. */
async function whileItRuns(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!isCode(error, 'conflict') && !isCode(error, 'notFound')) throw error;
  }
}
