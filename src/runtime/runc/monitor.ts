import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { exitOf, start } from '../../lib/process.ts';

/** What conmon says on its sync pipe, one JSON object a line. [conmon src/parent_pipe_fd.c] */
export interface Report {
  /** A pid or an exit code; negative when the runtime failed. */
  readonly data: number;
  /** The runtime's standard error. */
  readonly message?: string;
}

export interface MonitorOptions {
  readonly args: readonly string[];
  readonly cwd: string;
  /** For the socket that a terminal comes over. */
  readonly temporary: string;
  /** The search path for programs; nothing else of the engine's environment reaches the monitor. */
  readonly path: string;
  /** The command waits for `release`, and `ready` says when the attach socket is there. */
  readonly attach: boolean;
}

export interface Monitor {
  /** The next report; rejects when the monitor ended without one. */
  report(): Promise<Report>;
  ready(): Promise<void>;
  release(): void;
  /** Settles when conmon has left our process tree: then its pid file is there. */
  detached(): Promise<void>;
  /** Stops listening; the monitor goes on. */
  close(): void;
}

const syncFd = 3;
const readyFd = 4;
const releaseFd = 5;

/** Starts conmon, which leaves our process tree at once and outlives us. */
export function startMonitor(options: MonitorOptions): Monitor {
  const child = start('conmon', options.args, {
    cwd: options.cwd,
    env: {
      PATH: options.path,
      // conmon stamps log lines with local time.
      TZ: 'UTC0',
      // runc is gone before its garbage is worth collecting: a tenth of its time.
      GOGC: 'off',
      // conmon makes its console socket here, whose path has to fit 108 bytes.
      TMPDIR: options.temporary.length < 88 ? options.temporary : '/tmp',
      _OCI_SYNCPIPE: String(syncFd),
      ...(options.attach ? { _OCI_ATTACHPIPE: String(readyFd), _OCI_STARTPIPE: String(releaseFd) } : {}),
    },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...(options.attach ? (['pipe', 'pipe'] as const) : [])],
  });
  const ended = Promise.allSettled([exitOf('conmon', child)]);
  const failure = failureOf(child, ended);
  const reports = new Lines(child.stdio[syncFd] as Readable);
  const attachable = options.attach ? new Lines(child.stdio[readyFd] as Readable) : undefined;
  const streams: readonly unknown[] = child.stdio;
  const release = options.attach ? (streams[releaseFd] as Writable) : undefined;
  release?.on('error', ignoreEpipe);
  // conmon reads this pipe twice: before it does anything, and before it runs the command (end of file will do).
  release?.write('\n');
  return {
    report: async () => {
      const line = await reports.next();
      if (line === undefined) throw await failure();
      return JSON.parse(line) as Report;
    },
    ready: async () => {
      if (attachable !== undefined && (await attachable.next()) === undefined) throw await failure();
    },
    release: () => release?.end(),
    detached: async () => {
      await ended;
    },
    close: () => {
      for (const stream of child.stdio) stream?.destroy();
    },
  };
}

/** The error for a monitor that never reported: it prints only before it detaches. */
function failureOf(
  child: ChildProcess,
  ended: Promise<[PromiseSettledResult<number>]>,
): () => Promise<unknown> {
  const output: Buffer[] = [];
  const keep = (chunk: Buffer) => {
    output.push(chunk);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return async () => {
    const [exit] = await ended;
    if (exit.status === 'rejected') return exit.reason as unknown;
    const detail = Buffer.concat(output).toString().trim() || 'it ended without a report';
    return new EngineError('internal', `Cannot start the container monitor: ${detail}`);
  };
}

/** Reads a stream line by line, on demand. */
class Lines {
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  #rest = '';
  #ended = false;

  constructor(stream: Readable) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const parts = (this.#rest + text).split('\n');
      this.#rest = parts.pop() ?? '';
      this.#lines.push(...parts);
      this.#deliver();
    });
    stream.on('error', () => {
      this.#end();
    });
    stream.on('close', () => {
      this.#end();
    });
  }

  next(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#deliver();
    });
  }

  #end(): void {
    this.#ended = true;
    this.#deliver();
  }

  #deliver(): void {
    while (this.#waiting.length > 0 && (this.#lines.length > 0 || this.#ended)) {
      this.#waiting.shift()?.(this.#lines.shift());
    }
  }
}

function ignoreEpipe(error: Error): void {
  // The monitor ended; its report, or the lack of one, says why.
  if (!hasErrno(error, 'EPIPE') && !hasErrno(error, 'ECONNRESET')) throw error;
}
