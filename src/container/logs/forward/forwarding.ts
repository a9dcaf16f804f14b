import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { LogReader } from '../../../runtime/index.ts';
import type { RunObserver } from '../../lifecycle.ts';
import type { Container } from '../../record.ts';
import { logDriver } from '../drivers.ts';
import { Forwarder } from './forwarder.ts';

/** How long the removal of a container waits for its last lines to go out. */
const drainMs = 3000;

export interface ForwardingDeps {
  readonly reader: Pick<LogReader, 'from'>;
  readonly pathOf: (id: string) => string;
  readonly logger: Logger;
}

interface Running {
  readonly ended: AbortController;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Hands the logs of containers over to the servers their drivers name. */
export class LogForwarding implements RunObserver {
  readonly #deps: ForwardingDeps;
  readonly #running = new Map<string, Running>();
  /** Started again before the run before was handed over. */
  readonly #again = new Map<string, { readonly container: Container; readonly ended: boolean }>();

  constructor(deps: ForwardingDeps) {
    this.#deps = deps;
  }

  started(container: Container): void {
    if (logDriver(container.record.hostConfig.LogConfig.Type)?.remote === undefined) return;
    const { id } = container.record;
    if (this.#running.has(id)) this.#again.set(id, { container, ended: false });
    else this.#begin(container);
  }

  ended({ record }: Container): void {
    const again = this.#again.get(record.id);
    if (again !== undefined) this.#again.set(record.id, { ...again, ended: true });
    this.#running.get(record.id)?.ended.abort();
  }

  /** Goes on with what an engine before had not handed over of a container that has ended. */
  resume(container: Container): void {
    if (container.state.running) return;
    this.started(container);
    this.ended(container);
  }

  /** Before a container is removed: waits for its last lines, but not long, and lets go of its log. */
  async release(id: string): Promise<void> {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.ended.abort();
    await Promise.race([running.done, delay(drainMs, undefined, { ref: false })]);
    running.stop.abort();
    await running.done;
  }

  async close(): Promise<void> {
    this.#again.clear();
    const running = [...this.#running.values()];
    for (const { stop } of running) stop.abort();
    await Promise.all(running.map(({ done }) => done));
  }

  #begin(container: Container): void {
    const { id } = container.record;
    const ended = new AbortController();
    const stop = new AbortController();
    const done = this.#forward(container, ended.signal, stop.signal);
    this.#running.set(id, { ended, stop, done });
  }

  async #forward(container: Container, ended: AbortSignal, stop: AbortSignal): Promise<void> {
    const { reader, pathOf, logger } = this.#deps;
    const { record } = container;
    const path = pathOf(record.id);
    const warn = (error: unknown, what: string) => {
      logger.warn({ container: record.id, driver: record.hostConfig.LogConfig.Type, err: error }, what);
    };
    const forwarder = new Forwarder({
      reader,
      path,
      positionPath: join(dirname(path), 'log-position.json'),
      connect: async () => {
        const sink = await logDriver(record.hostConfig.LogConfig.Type)?.remote?.connect(record);
        if (sink === undefined) throw new TypeError('the driver sends nothing');
        return sink;
      },
      onFailure: (error) => {
        warn(error, 'cannot hand over the log of the container; trying again');
      },
    });
    try {
      await forwarder.run(ended, stop);
    } catch (error) {
      if (!stop.aborted) warn(error, 'cannot go on handing over the log of the container');
    } finally {
      this.#running.delete(record.id);
      const next = this.#again.get(record.id);
      this.#again.delete(record.id);
      if (next !== undefined && !stop.aborted) {
        this.#begin(next.container);
        if (next.ended) this.ended(next.container);
      }
    }
  }
}
