import type { Readable } from 'node:stream';
import { EngineError } from '../../errors/index.ts';
import { ignoreClosed } from '../../lib/ignore-closed.ts';
import { spawnFast } from '../../lib/spawn-fast.ts';

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

/** The monitor's descriptors beside the standard ones. */
const fds = { sync: 3, ready: 4, release: 5 } as const;

/** What a monitor opens itself comes after. */
export const lastOwnDescriptor = fds.release;

/** Starts conmon, which leaves our process tree at once and outlives us. */
export function startMonitor(options: MonitorOptions): Monitor {
  const child = spawnFast('conmon', options.args, {
    cwd: options.cwd,
    env: {
      PATH: options.path,
      // conmon stamps log lines with local time.
      TZ: 'UTC0',
      // runc is gone before its garbage is worth collecting: a tenth of its time.
      GOGC: 'off',
      // conmon makes its console socket here, whose path has to fit 108 bytes.
      TMPDIR: options.temporary.length < 88 ? options.temporary : '/tmp',
      _OCI_SYNCPIPE: String(fds.sync),
      ...(options.attach ? { _OCI_ATTACHPIPE: String(fds.ready), _OCI_STARTPIPE: String(fds.release) } : {}),
    },
    stdio: ['null', 'write', 'write', 'write', ...(options.attach ? (['write', 'read'] as const) : [])],
  });
  const [, stdout, stderr, sync, ready, release] = child.stdio;
  if (stdout === undefined || stderr === undefined || sync === undefined)
    throw new TypeError('three pipes were asked for');
  const failure = failureOf([stdout, stderr], child.exited);
  const reports = new Lines(sync);
  const attachable = ready === undefined ? undefined : new Lines(ready);
  release?.on('error', ignoreClosed);
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
      await child.exited;
    },
    close: () => {
      for (const pipe of child.stdio) pipe?.destroy();
    },
  };
}

/** The error for a monitor that never reported: it prints only before it detaches. */
function failureOf(streams: readonly Readable[], ended: Promise<number>): () => Promise<EngineError> {
  const output: Buffer[] = [];
  const keep = (chunk: Buffer) => {
    output.push(chunk);
  };
  for (const stream of streams) stream.on('data', keep);
  return async () => {
    await ended;
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
