import type { Logger } from 'pino';
import type { Exit } from '../runtime/index.ts';
import type { Container } from './record.ts';
import { nextRestart, type RestartBackoff } from './restart.ts';

export interface RestartsDeps {
  /** Starts a container again that waits in state restarting. */
  readonly start: (id: string) => Promise<void>;
  readonly logger: Logger;
}

/** The timers of restart policies, by container id. */
export class Restarts {
  readonly #deps: RestartsDeps;
  readonly #backoffs = new Map<string, RestartBackoff>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(deps: RestartsDeps) {
    this.#deps = deps;
  }

  /** Milliseconds until the policy starts the container again; `undefined` leaves it ended. */
  delayAfter(container: Container, exit: Exit): number | undefined {
    const { id, hostConfig } = container.record;
    const { state } = container;
    if (this.#closed || state.stoppedByUser || state.removing) return this.cancel(id);
    const ranMs = exit.finishedAt.getTime() - Date.parse(state.startedAt);
    const next = nextRestart({
      policy: hostConfig.RestartPolicy,
      exitCode: exit.exitCode,
      restartCount: state.restartCount,
      ranMs,
      previous: this.#backoffs.get(id),
    });
    if (next === undefined) return this.cancel(id);
    this.#backoffs.set(id, next);
    return next.delayMs;
  }

  schedule(id: string, delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      this.#deps.start(id).catch((error: unknown) => {
        this.#deps.logger.warn({ container: id, err: error }, 'restart failed');
      });
    }, delayMs);
    this.#timers.set(id, timer);
  }

  /** Forgets a planned restart. */
  cancel(id: string): undefined {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#backoffs.delete(id);
  }

  /** From now on nothing is started again. */
  close(): void {
    this.#closed = true;
    for (const id of [...this.#timers.keys()]) this.cancel(id);
  }
}
