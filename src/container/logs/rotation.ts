import type { Logger } from 'pino';
import { isCode } from '../../errors/index.ts';
import { KeyedLock } from '../../lib/keyed-lock.ts';
import { createLogFiles, type LogFiles, type LogLimits, type OciRuntime } from '../../runtime/index.ts';
import type { RunObserver } from '../lifecycle.ts';
import type { Container, ContainerRecord } from '../record.ts';
import { defaultLimits } from './drivers.ts';
import { GrowthWatch } from './growth-watch.ts';
import { logLimits } from './log-config.ts';

export interface LogRotationDeps {
  readonly runtime: Pick<OciRuntime, 'reopenLog'>;
  readonly pathOf: (id: string) => string;
  readonly logger: Logger;
}

/** Keeps the logs of running containers within their limits. */
export class LogRotation implements RunObserver {
  readonly #deps: LogRotationDeps;
  readonly #watches = new Map<string, GrowthWatch>();
  readonly #locks = new KeyedLock();
  readonly #working = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  /** Ends the compressing of a container's files, which may only wait for its turn. */
  readonly #compressing = new Map<string, AbortController>();
  /** One file is compressed at a time. */
  #compressed: Promise<void> = Promise.resolve();
  #underWay: { readonly id: string; readonly done: Promise<void> } | undefined;

  constructor(deps: LogRotationDeps) {
    this.#deps = deps;
  }

  started({ record }: Container): void {
    const { id } = record;
    const limits = this.#limits(record);
    if (limits === undefined) return;
    const path = this.#deps.pathOf(id);
    const files = createLogFiles({ path, limits });
    const onFull = () => this.#work(this.#rotate(id, files));
    this.#watches.get(id)?.[Symbol.dispose]();
    this.#watches.set(id, new GrowthWatch({ path, limit: limits.maxBytes, onFull }));
    // What an engine that was killed had yet to do.
    if (limits.compress) this.#compress(id, files);
  }

  ended({ record }: Container): void {
    const { id, hostConfig } = record;
    this.#watches.get(id)?.[Symbol.dispose]();
    this.#watches.delete(id);
    const limits = this.#limits(record);
    if (limits === undefined || hostConfig.AutoRemove) return;
    const files = createLogFiles({ path: this.#deps.pathOf(id), limits });
    void this.#work(this.#guarded(id, () => files.trim()));
  }

  /** Before a container is removed: nothing more is made of its log. */
  async release(id: string): Promise<void> {
    await this.#locks.passed(id);
    this.#compressing.get(id)?.abort();
    this.#compressing.delete(id);
    if (this.#underWay?.id === id) await this.#underWay.done;
  }

  /** Stops looking; what is under way is finished. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const watch of this.#watches.values()) watch[Symbol.dispose]();
    this.#watches.clear();
    await Promise.all([...this.#working, this.#compressed]);
  }

  /** A run that an engine of other rules allowed is not to end for it. */
  #limits({ id, hostConfig }: ContainerRecord): LogLimits | undefined {
    try {
      return logLimits(hostConfig.LogConfig);
    } catch (error) {
      this.#warn(id, error);
      return defaultLimits;
    }
  }

  #rotate(id: string, files: LogFiles): Promise<boolean> {
    return this.#guarded(id, async () => {
      await files.rotate((log) => this.#deps.runtime.reopenLog(id, log));
      await files.trim();
      this.#compress(id, files);
    });
  }

  #compress(id: string, files: LogFiles): void {
    const stop = this.#compressing.get(id) ?? new AbortController();
    this.#compressing.set(id, stop);
    const signal = AbortSignal.any([this.#closing.signal, stop.signal]);
    this.#compressed = this.#compressed.then(async () => {
      if (signal.aborted) return;
      const done = files.compress(signal).catch((error: unknown) => {
        if (!signal.aborted) this.#warn(id, error);
      });
      this.#underWay = { id, done };
      await done;
    });
  }

  /** False if it failed, of which the engine's log tells. */
  async #guarded(id: string, action: () => Promise<void>): Promise<boolean> {
    using _held = await this.#locks.acquire(id);
    try {
      await action();
      return true;
    } catch (error) {
      // It has just ended.
      if (!isCode(error, 'conflict')) this.#warn(id, error);
      return false;
    }
  }

  #warn(id: string, error: unknown): void {
    this.#deps.logger.warn({ container: id, err: error }, 'cannot rotate the log of the container');
  }

  async #work<T>(working: Promise<T>): Promise<T> {
    this.#working.add(working);
    try {
      return await working;
    } finally {
      this.#working.delete(working);
    }
  }
}
