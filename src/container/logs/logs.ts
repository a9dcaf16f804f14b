import type { Readable } from 'node:stream';
import type { RunLogLine } from '../../api/index.ts';
import { EngineError, isAbortError } from '../../errors/index.ts';
import type { LogQuery, LogReader } from '../../runtime/index.ts';
import { type Container, zeroTime } from '../record.ts';
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

/** Of the log of each run. */
const kept = { lines: 10, bytes: 4096 };
/** The time of an end is that of a file, some milliseconds behind those of log lines; no run begins that soon after. */
const tickMs = 10;

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

  /** The last lines of a run that has just ended, the one before having ended at `after`. */
  async lastLines(id: string, after: string): Promise<RunLogLine[]> {
    const sinceNano = after === zeroTime ? undefined : BigInt(Date.parse(after) + tickMs) * 1_000_000n;
    const query = { ...kept, ...(sinceNano === undefined ? {} : { sinceNano }) };
    const lines = await this.#deps.reader.lastLines(this.#deps.pathOf(id), query);
    return lines.map(({ time, stream, data }) => ({ Time: time, Stream: stream, Text: data.toString() }));
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
