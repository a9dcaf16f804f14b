import type { Readable } from 'node:stream';
import { EngineError, isAbortError } from '../../errors/index.ts';
import type { LogQuery, LogReader } from '../../runtime/index.ts';
import type { Container } from '../record.ts';
import type { Waiters } from '../waiters.ts';
import { logDetails } from './attributes.ts';
import { isReadable } from './log-config.ts';

export interface LogsDeps {
  readonly reader: LogReader;
  readonly waiters: Waiters;
  /** The log file of a container. */
  readonly pathOf: (id: string) => string;
}

export interface LogsQuery extends Omit<LogQuery, 'follow'> {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
}

/** The log of a container: what its monitor wrote, for clients. */
export class Logs {
  readonly #deps: LogsDeps;

  constructor(deps: LogsDeps) {
    this.#deps = deps;
  }

  /** The log as the API sends it: frames, or raw bytes of a terminal. */
  stream(container: Container, query: LogsQuery, signal: AbortSignal): { tty: boolean; body: Readable } {
    const { record } = container;
    if (!query.stdout && !query.stderr) {
      throw new EngineError('invalidArgument', 'Bad parameters: you must choose at least one stream');
    }
    if (!isReadable(record.hostConfig.LogConfig)) {
      throw new EngineError('notImplemented', 'configured logging driver does not support reading');
    }
    const { follow, details, ...rest } = query;
    const tty = record.config.Tty;
    const body = this.#deps.reader.stream(
      this.#deps.pathOf(record.id),
      {
        ...rest,
        framed: !tty,
        ...(details ? { prefix: logDetails(record) } : {}),
        ...(follow ? { follow: { ended: this.#ended(container, signal) } } : {}),
      },
      signal,
    );
    return { tty, body };
  }

  /** The whole log so far, for a client that attaches. */
  replay(container: Container): ReturnType<LogReader['read']> {
    return this.#deps.reader.read(this.#deps.pathOf(container.record.id), { stdout: true, stderr: true });
  }

  /** Aborted once the container has stopped. */
  #ended(container: Container, signal: AbortSignal): AbortSignal {
    if (!container.state.running) return AbortSignal.abort();
    const ended = new AbortController();
    this.#deps.waiters.wait(container.record.id, 'not-running', signal).then(
      () => ended.abort(),
      (error: unknown) => {
        ended.abort(isAbortError(error) ? error : undefined);
      },
    );
    return ended.signal;
  }
}
