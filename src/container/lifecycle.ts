import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { RunLogLine } from '../api/index.ts';
import { EngineError, isAbortError, messageOf } from '../errors/index.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import type { Exit, OciRuntime } from '../runtime/index.ts';
import type { PendingAttachments } from './attach.ts';
import type { Launcher } from './launch.ts';
import type { Logs } from './logs/logs.ts';
import { type Container, type RunState, zeroTime } from './record.ts';
import type { Remover } from './remove.ts';
import type { Restarts } from './restarts.ts';
import { isAnswer } from './runs/ending.ts';
import type { Run } from './runs/run.ts';
import { startExitCode } from './start-error.ts';
import type { ContainerStore, Happening } from './store.ts';
import { assertCan, assertSettled, exited, started, startFailed } from './transitions.ts';
import type { Waiters } from './waiters.ts';

/** Told of every run of a container. */
export interface RunObserver {
  started(container: Container): void;
  ended(container: Container): void;
}

export interface LifecycleDeps {
  readonly store: ContainerStore;
  readonly launcher: Launcher;
  readonly runtime: OciRuntime;
  readonly waiters: Waiters;
  readonly pending: PendingAttachments;
  readonly remover: Remover;
  readonly restarts: Restarts;
  readonly logs: Logs;
  /** By container id. */
  readonly locks: KeyedLock;
  readonly logger: Logger;
}

/**
 * Starts containers and follows each run to its end. One lock a container orders start, exit and removal;
 * nobody holds it while waiting for a process.
 */
export class Lifecycle {
  readonly locks: KeyedLock;
  readonly #deps: LifecycleDeps;
  readonly #observers: RunObserver[] = [];
  readonly #closing = new AbortController();
  readonly #watching = new Set<Promise<void>>();
  /** Containers in `docker restart`, until it has ended: their exit neither removes nor restarts them. */
  readonly #held = new Map<string, Promise<void>>();
  #startsNothing = false;

  constructor(deps: LifecycleDeps) {
    this.locks = deps.locks;
    this.#deps = deps;
  }

  observe(observer: RunObserver): void {
    this.#observers.push(observer);
  }

  async start(
    id: string,
    options: { readonly byPolicy?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    using _held = await this.locks.acquire(id, options.signal);
    const container = this.#deps.store.current(id);
    if (options.byPolicy === true) {
      // Whoever changes its settings starts it.
      if (!container.state.restarting || isReconfigured(container)) return;
    } else {
      assertCan('start', container);
      assertSettled(container);
    }
    await this.startHeld(container, options.byPolicy === true);
  }

  /** Waits for a start that may be under way: its row does not tell of it. */
  async afterStart(id: string, signal?: AbortSignal): Promise<void> {
    const state = this.#deps.store.get(id)?.state;
    if (state === undefined || state.running || state.removing) return;
    await this.locks.passed(id, signal);
  }

  /** From now on nothing is started. Resolves when no start is under way. */
  async endStarts(): Promise<void> {
    this.#startsNothing = true;
    const ids = this.#deps.store.all().map(({ record }) => record.id);
    await Promise.all(ids.map((id) => this.locks.passed(id)));
  }

  /** Starts a container whose lock the caller holds. A start that fails leaves it stopped. */
  async startHeld(container: Container, byPolicy: boolean): Promise<void> {
    if (this.#startsNothing) throw new EngineError('cancelled', 'the engine is shutting down');
    const { store, launcher, runtime, pending } = this.#deps;
    const { id } = container.record;
    try {
      const { pid, connection } = await launcher.launch(container);
      await pending.connect(id, (options) => runtime.attach(id, options));
      await runtime.start(id);
      const running = store.transition(
        id,
        (state) => started(state, { pid, at: new Date(), connection, byPolicy }),
        {
          action: 'start',
        },
      );
      this.follow(running);
    } catch (error) {
      await this.#undoStart(container, error);
      throw error;
    }
  }

  async #undoStart(container: Container, error: unknown): Promise<void> {
    const { store, pending, remover, waiters, logger } = this.#deps;
    const { id, hostConfig } = container.record;
    logger.debug({ container: id, err: error }, 'start failed');
    await this.#tearDown(store.current(id));
    pending.abandon(id);
    const exitCode = startExitCode(error);
    const message = messageOf(error);
    const finishedAt = new Date().toISOString();
    // What the state says besides is of the run before.
    const run: Run = { startedAt: zeroTime, finishedAt, exitCode, oomKilled: false, error: message };
    store.finish(id, (before) => ({ state: startFailed(before, { message, exitCode }), run }));
    waiters.exited(id, exitCode);
    if (!hostConfig.AutoRemove || isReconfigured(container)) return;
    try {
      await remover.remove(id, { volumes: true });
    } catch (failure) {
      // It is dead, and why it did not start is what its client asked.
      logger.error({ container: id, err: failure }, 'cannot remove a container that did not start');
    }
  }

  /** Watches a running container until it ends. */
  follow(container: Container): void {
    for (const observer of this.#observers) observer.started(container);
    const watching = this.#watch(container.record.id);
    this.#watching.add(watching);
    void watching.finally(() => this.#watching.delete(watching));
  }

  async #watch(id: string): Promise<void> {
    const { logger } = this.#deps;
    try {
      const exit = await this.#exitOf(id);
      using _held = await this.locks.acquire(id);
      await this.ended(id, exit);
    } catch (error) {
      if (isAbortError(error) || this.#closing.signal.aborted) return;
      logger.error({ container: id, err: error }, 'cannot follow the container to its end');
    }
  }

  async #exitOf(id: string): Promise<Exit> {
    const { runtime } = this.#deps;
    using _oom = runtime.watchOom(id, () => {
      this.#outOfMemory(id);
    });
    return await runtime.wait(id, this.#closing.signal);
  }

  #outOfMemory(id: string): void {
    const { store, logger } = this.#deps;
    // An earlier engine has told of it.
    if (store.get(id)?.state.oomKilled !== false) return;
    try {
      store.transition(id, (state) => ({ ...state, oomKilled: true }), { action: 'oom' });
    } catch (error) {
      logger.error({ container: id, err: error }, 'cannot tell that a container is out of memory');
    }
  }

  /** What follows the end of a run; the caller holds the container's lock. */
  async ended(id: string, exit: Exit): Promise<void> {
    const { store, waiters, pending, remover, restarts } = this.#deps;
    const container = store.get(id);
    if (container === undefined) return;
    const { hostConfig } = container.record;
    const held = this.#held.has(id) || isReconfigured(container);
    const remove = hostConfig.AutoRemove && !held;
    // Should the engine be killed before the row says it, its next start asks the runtime for the exit.
    const [log, tornDown] = await Promise.all([this.#lastLines(container), this.#tearDown(container, exit)]);
    const stopped = answersKill(container, exit);
    const delayMs = held || stopped ? undefined : restarts.delayAfter(container, exit);
    if (stopped) restarts.cancel(id);
    const after = store.finish(
      id,
      (before) => {
        const stoppedByUser = before.stoppedByUser || stopped;
        const state = exited({ ...before, stoppedByUser }, exit, delayMs !== undefined);
        return { state, run: { ...runOf(state), log } };
      },
      ...endEvents(container, exit),
    );
    for (const observer of this.#observers) observer.ended(after);
    if (delayMs === undefined) pending.abandon(id);
    waiters.exited(id, exit.exitCode);
    if (remove) await remover.remove(id, { volumes: true, tornDown });
    await this.#forgetExit(id);
    if (delayMs !== undefined) restarts.schedule(id, delayMs);
  }

  /** What its record is to tell of its log, which has gone on or is gone when somebody asks. */
  async #lastLines({ record: { id, hostConfig }, state }: Container): Promise<RunLogLine[]> {
    if (hostConfig.AutoRemove) return [];
    const { logs, logger } = this.#deps;
    try {
      return await logs.lastLines(id, state.finishedAt);
    } catch (error) {
      logger.warn({ container: id, err: error }, 'cannot read the end of the log');
      return [];
    }
  }

  /** False if something is left. */
  async #tearDown(container: Container, keep?: Exit): Promise<boolean> {
    const { launcher, logger } = this.#deps;
    try {
      await launcher.tearDown(container, keep);
      return true;
    } catch (error) {
      // It has ended all the same. Its next start or its removal takes the rest away.
      logger.error(
        { container: container.record.id, err: error },
        'cannot take down all of an ended container',
      );
      return false;
    }
  }

  async #forgetExit(id: string): Promise<void> {
    const { runtime, logger } = this.#deps;
    // Whoever waited for the end is answered first.
    await nextTurn();
    try {
      await runtime.delete(id, { force: true });
    } catch (error) {
      logger.warn(
        { container: id, err: error },
        'cannot remove what the runtime keeps of an ended container',
      );
    }
  }

  /** Runs `action` (a stop) so that the exit it causes leaves the container there and stopped. */
  async holding<T>(id: string, action: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.set(id, promise);
    try {
      return await action();
    } finally {
      this.#held.delete(id);
      resolve();
    }
  }

  /** Waits for the end of a `docker restart` that is under way. */
  async restarted(id: string): Promise<void> {
    await this.#held.get(id);
  }

  /** Stops following; running containers go on. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#deps.restarts.close();
    await Promise.allSettled(this.#watching);
  }
}

/** It comes back in another way: an end or a failed start is not the last word. */
function isReconfigured({ state }: Container): boolean {
  return state.reconfiguration !== undefined;
}

function runOf({ startedAt, finishedAt, exitCode, oomKilled, error, ending, health }: RunState): Run {
  const last = health?.Log.at(-1);
  return {
    startedAt,
    finishedAt,
    exitCode,
    oomKilled,
    error,
    ...(ending === undefined ? {} : { ending }),
    ...(last === undefined ? {} : { health: last }),
  };
}

/**
 * Whether a client's signal was the end of a container that names no stop signal: any may be meant for it. Docker takes
 * it for one also where the container lives on. [moby daemon/kill.go]
 */
function answersKill({ record, state: { ending } }: Container, exit: Exit): boolean {
  if (record.config.StopSignal !== undefined || ending?.action !== 'kill') return false;
  return isAnswer({ exitCode: exit.exitCode, finishedAt: exit.finishedAt.toISOString() }, ending);
}

function endEvents(container: Container, exit: Exit): Happening[] {
  const seconds = Math.max(
    0,
    Math.floor((exit.finishedAt.getTime() - Date.parse(container.state.startedAt)) / 1000),
  );
  const die = {
    action: 'die',
    attributes: { exitCode: String(exit.exitCode), execDuration: String(seconds) },
  };
  return exit.oomKilled && !container.state.oomKilled ? [{ action: 'oom' }, die] : [die];
}
