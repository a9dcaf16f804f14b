import type { StopOptions } from './containers.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Container } from './record.ts';
import type { Remover } from './remove.ts';
import type { Restarts } from './restarts.ts';
import { endingBy } from './runs/ending.ts';
import { parseSignal } from './signals.ts';
import type { ContainerStore } from './store.ts';
import { assertCan, assertSettled } from './transitions.ts';
import type { Waiters } from './waiters.ts';

const defaultTimeoutSeconds = 10;

/** Who asks for a stop. */
export type StopReason = 'stop' | 'restart' | 'reconfigure' | 'shutdown';

export interface StopperDeps {
  readonly store: ContainerStore;
  readonly lifecycle: Lifecycle;
  readonly remover: Remover;
  readonly restarts: Restarts;
  readonly waiters: Waiters;
  /** What a stop does when the stop signal can have no effect. */
  readonly deaf: 'wait' | 'kill';
}

/** Everything that ends a run on a client's word. */
export class Stopper {
  readonly #deps: StopperDeps;

  constructor(deps: StopperDeps) {
    this.#deps = deps;
  }

  async stop(container: Container, options: StopOptions, action: StopReason = 'stop'): Promise<void> {
    assertCan('stop', container);
    const { store, lifecycle } = this.#deps;
    const { id, config } = container.record;
    const signalNumber = parseSignal(options.signal ?? config.StopSignal ?? 'SIGTERM');
    const seconds = options.timeoutSeconds ?? config.StopTimeout ?? defaultTimeoutSeconds;
    if (await this.#cancelRestart(id)) return;
    await lifecycle.end(container, {
      action,
      signalNumber,
      timeoutMs: seconds < 0 ? -1 : seconds * 1000,
      deaf: options.deaf ?? this.#deps.deaf,
    });
    const after = store.get(id);
    if (after !== undefined) store.note(after, { action: 'stop' });
  }

  async restart(container: Container, options: StopOptions): Promise<void> {
    const { store, lifecycle } = this.#deps;
    const { id } = container.record;
    await lifecycle.holding(id, async () => {
      if (container.state.running) await this.stop(container, options, 'restart');
      await lifecycle.start(id);
    });
    store.note(store.current(id), { action: 'restart' });
  }

  async kill(container: Container, signal: string | undefined): Promise<void> {
    const signalNumber = parseSignal(signal === undefined || signal === '' ? 'SIGKILL' : signal);
    const { store, lifecycle } = this.#deps;
    const { id, config } = container.record;
    assertCan('kill', container);
    if (await this.#cancelRestart(id)) return;
    const ends = signalNumber === 9 || signalNumber === parseSignal(config.StopSignal ?? 'SIGTERM');
    const ending = await endingBy('kill', signalNumber, container.state.pid);
    store.transition(id, (state) => ({ ...state, ending, stoppedByUser: ends || state.stoppedByUser }), {
      action: 'kill',
      attributes: { signal: String(signalNumber) },
    });
    await lifecycle.signal(container, signalNumber);
    if (signalNumber === 9)
      await this.#deps.waiters.wait(id, 'not-running', AbortSignal.timeout(10_000)).catch(() => undefined);
  }

  async remove(
    container: Container,
    options: { readonly force: boolean; readonly volumes: boolean },
  ): Promise<void> {
    const { store, lifecycle, remover, restarts } = this.#deps;
    const { id } = container.record;
    if (!options.force) assertCan('remove', container);
    else if (container.state.removing) assertCan('remove', container);
    for (;;) {
      restarts.cancel(id);
      const before = store.get(id);
      if (options.force && before !== undefined && isUp(before)) {
        await lifecycle.end(before, { action: 'remove', signalNumber: 9, timeoutMs: 10_000 });
      }
      using _held = await lifecycle.locks.acquire(id);
      const current = store.get(id);
      // A container of `--rm` went by itself when it ended.
      if (current === undefined) return;
      if (!options.force) assertSettled(current);
      if (!isUp(current)) {
        await remover.remove(id, { volumes: options.volumes });
        return;
      }
      // Its policy, or a client, was starting it at this very moment.
      if (!options.force) assertCan('remove', current);
    }
  }

  /** Ends the wait of a container that its policy is about to start again; false when it is not such a one. */
  async #cancelRestart(id: string): Promise<boolean> {
    const { store, lifecycle, restarts, waiters } = this.#deps;
    using _held = await lifecycle.locks.acquire(id);
    const { state } = store.current(id);
    if (!state.restarting) return false;
    restarts.cancel(id);
    store.transition(
      id,
      (before) => ({ ...before, running: false, restarting: false, stoppedByUser: true }),
      { action: 'stop' },
    );
    waiters.exited(id, state.exitCode);
    return true;
  }
}

function isUp({ state }: Container): boolean {
  return state.running && !state.restarting;
}
