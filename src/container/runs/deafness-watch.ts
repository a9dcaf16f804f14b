import type { Logger } from 'pino';
import type { RunObserver } from '../lifecycle.ts';
import type { Container } from '../record.ts';
import { parseSignal, signalName } from '../signals.ts';
import type { ContainerStore } from '../store.ts';
import { isDeafProcess } from './deaf.ts';

/** A program gets this long to install its handlers. */
const graceMs = 3000;

/**
 * Says of a container that has just started, in the log and as event `stop_deaf`, that its stop signal can have no
 * effect: each stop will take its whole timeout.
 */
export class DeafnessWatch implements RunObserver {
  readonly #store: ContainerStore;
  readonly #logger: Logger;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(store: ContainerStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  started({ record, state }: Container): void {
    // Found again after the engine was away: it was said at its start.
    if (Date.now() - Date.parse(state.startedAt) > graceMs) return;
    const timer = setTimeout(() => {
      this.#timers.delete(record.id);
      void this.#look(record.id);
    }, graceMs);
    timer.unref();
    this.#timers.set(record.id, timer);
  }

  ended({ record }: Container): void {
    clearTimeout(this.#timers.get(record.id));
    this.#timers.delete(record.id);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #look(id: string): Promise<void> {
    const container = this.#store.get(id);
    if (container === undefined || !container.state.running) return;
    const signal = parseSignal(container.record.config.StopSignal ?? 'SIGTERM');
    try {
      if (!(await isDeafProcess(container.state.pid, signal)) || this.#store.get(id) === undefined) return;
      const name = `SIG${signalName(signal)}`;
      this.#logger.warn(
        { container: id, signal: name },
        'the container has no handler for its stop signal: a stop will wait its whole timeout (see --init)',
      );
      this.#store.note(container, { action: 'stop_deaf', attributes: { signal: name } });
    } catch (error) {
      this.#logger.warn({ container: id, err: error }, 'cannot tell which signals the container handles');
    }
  }
}
