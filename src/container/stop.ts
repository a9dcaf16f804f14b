import { KeyedLock, raceAbort } from '../lib/keyed-lock.ts';
import type { StopOptions } from './containers.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Container } from './record.ts';
import type { Remover } from './remove.ts';
import type { Restarts } from './restarts.ts';
import type { RunEnder, Told } from './run-ender.ts';
import { parseSignal } from './signals.ts';
import type { ContainerStore } from './store.ts';
import { assertCan, assertSettled, notRunning } from './transitions.ts';

const defaultTimeoutSeconds = 10;
const sigkill = 9;

/** Who asks for a stop. */
export type StopReason = 'stop' | 'restart' | 'reconfigure' | 'shutdown';

export interface StopperDeps {
  readonly store: ContainerStore;
  readonly lifecycle: Lifecycle;
  readonly ender: RunEnder;
  readonly remover: Remover;
  readonly restarts: Restarts;
  /** What a stop does when the stop signal can have no effect. */
  readonly deaf: 'wait' | 'kill';
}

/** Everything that ends a run on a client's word. */
export class Stopper {
  readonly #deps: StopperDeps;
  readonly #restarting = new KeyedLock();

  constructor(deps: StopperDeps) {
    this.#deps = deps;
  }

  async stop(container: Container, options: StopOptions, action: StopReason = 'stop'): Promise<void> {
    const { store, lifecycle, ender } = this.#deps;
    const { id, config } = container.record;
    await lifecycle.afterStart(id);
    assertCan('stop', store.get(id) ?? container);
    const signalNumber = parseSignal(options.signal ?? config.StopSignal ?? 'SIGTERM');
    const seconds = options.timeoutSeconds ?? config.StopTimeout ?? defaultTimeoutSeconds;
    const ended = await ender.end(id, {
      action,
      signalNumber,
      timeoutMs: seconds < 0 ? -1 : seconds * 1000,
      deaf: options.deaf ?? this.#deps.deaf,
    });
    const after = store.get(id);
    if (ended && after !== undefined) store.note(after, { action: 'stop' });
  }

  async restart({ record: { id } }: Container, options: StopOptions): Promise<void> {
    const { store, lifecycle } = this.#deps;
    // The first of two that ends would no longer hold it for the other.
    using _turn = await this.#restarting.acquire(id);
    await lifecycle.holding(id, async () => {
      await lifecycle.afterStart(id);
      const container = store.current(id);
      if (container.state.running) await this.stop(container, options, 'restart');
      await lifecycle.start(id);
    });
    store.note(store.current(id), { action: 'restart' });
  }

  async kill(container: Container, signal: string | undefined): Promise<void> {
    const signalNumber = parseSignal(signal === undefined || signal === '' ? 'SIGKILL' : signal);
    const told = await this.#send(container, signalNumber);
    if (signalNumber === sigkill && told !== undefined)
      await raceAbort(told.ended, AbortSignal.timeout(10_000)).catch(() => undefined);
  }

  async #send(before: Container, signalNumber: number): Promise<Told | undefined> {
    const { store, lifecycle, ender } = this.#deps;
    const { id, config } = before.record;
    using _held = await lifecycle.locks.acquire(id);
    const container = store.get(id);
    if (container === undefined) throw notRunning(before);
    assertCan('kill', container);
    if (ender.cancelRestart(container, { stops: true })) return undefined;
    const { StopSignal } = config;
    const stops = signalNumber === sigkill || signalNumber === parseSignal(StopSignal ?? 'SIGTERM');
    // As in Docker, any signal may be the end of a container that names none for it.
    const thaws = stops || StopSignal === undefined;
    return await ender.tell(container, { action: 'kill', signalNumber, stops, thaws });
  }

  async remove(
    container: Container,
    options: { readonly force: boolean; readonly volumes: boolean },
  ): Promise<void> {
    const { store, lifecycle, ender, remover, restarts } = this.#deps;
    const { id } = container.record;
    if (!options.force || container.state.removing) assertCan('remove', container);
    for (;;) {
      const before = store.get(id);
      if (options.force && before !== undefined && isUp(before)) {
        await ender.end(id, { action: 'remove', signalNumber: sigkill, timeoutMs: 10_000 });
      }
      using _held = await lifecycle.locks.acquire(id);
      const current = store.get(id);
      // A container of `--rm` went by itself when it ended.
      if (current === undefined) return;
      if (!options.force) {
        assertSettled(current);
        assertCan('remove', current);
      }
      // Its policy, or a client, was starting it at this very moment.
      if (isUp(current)) continue;
      ender.cancelRestart(current, { stops: true });
      restarts.cancel(id);
      await remover.remove(id, { volumes: options.volumes });
      return;
    }
  }
}

function isUp({ state }: Container): boolean {
  return state.running && !state.restarting;
}
