import type { Readable, Writable } from 'node:stream';

/** The OCI runtime configuration (config.json). [runtime-spec config.md; typed in spec.ts] */
import type { ProcessSpec, RuntimeResources, RuntimeSpec } from './spec.ts';

export interface LogTarget {
  /** conmon's k8s-file log, absolute; `undefined` keeps no log. */
  readonly path?: string;
}

/** A log file that something was written to, by its inode. */
export interface LogFileIdentity {
  readonly path: string;
  readonly ino: number;
}

export interface CreateOptions {
  readonly id: string;
  /** Absolute directory; `config.json` is written into it. */
  readonly bundle: string;
  readonly spec: RuntimeSpec;
  readonly terminal: boolean;
  /** Keeps stdin open for attach. */
  readonly stdin: boolean;
  /** Ends stdin when the first attached client ends its own. */
  readonly stdinOnce: boolean;
  readonly log: LogTarget;
}

export interface ExecOptions {
  /** 64 hex digits, unique among execs. */
  readonly execId: string;
  readonly process: ProcessSpec;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** The container shares process ids with others, to whom what its processes leave behind may go. */
  readonly sharesPids?: boolean;
  /** A later engine's `recoverExecs` ends it, for nobody waits for it any more. */
  readonly endsWithEngine?: boolean;
}

export interface Exit {
  /** 0..255; 128 + n after signal n. */
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly finishedAt: Date;
}

/** One client's hold on a process's stdio. Disposing detaches and leaves the process alone. */
export interface Attachment extends AsyncDisposable {
  /** Ends when the process closed its output. With a terminal all output is `stdout`. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>;
  /** Writing waits while the process does not read; `end` is end-of-file on its stdin. */
  readonly input: Writable;
}

export type RuntimeStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/**
 * One low-level runtime with a monitor a container. Containers and execs outlive the engine's process:
 * nothing here depends on memory of having started them.
 *
 * Errors from running a command carry Docker's texts: a missing program is `invalidArgument` whose message contains
 * "executable file not found" or "no such file or directory"; not executable contains "permission denied".
 */
export interface OciRuntime extends AsyncDisposable {
  readonly name: string;
  /** Checks programs and kernel; rejects with `unavailable` naming the missing package. */
  probe(
    signal?: AbortSignal,
  ): Promise<{ readonly version: string; readonly commit: string; readonly monitorVersion: string }>;
  /** Sets up the container up to, not including, its command. */
  create(options: CreateOptions, signal?: AbortSignal): Promise<{ readonly pid: number }>;
  /** Runs the command of a created container. */
  start(id: string, signal?: AbortSignal): Promise<void>;
  /** `conflict` if it does not run. `all` reaches every process in the container. */
  kill(id: string, signalNumber: number, options?: { readonly all?: boolean }): Promise<void>;
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  update(id: string, resources: RuntimeResources): Promise<void>;
  /**
   * Removes what the runtime holds of a stopped container; with force kills it first. Absent: succeeds. `keep` is its
   * exit, for which `exit` goes on to answer until the next `delete` or `create`: it is safe to kill the engine before it
   * has written it down.
   */
  delete(id: string, options?: { readonly force?: boolean; readonly keep?: Exit }): Promise<void>;
  /** `undefined` when the runtime does not know it. */
  state(id: string): Promise<{ readonly status: RuntimeStatus; readonly pid: number } | undefined>;
  /** Ids of every container the runtime holds anything of. */
  list(): Promise<string[]>;
  /** Host pids of all processes in the container. */
  pids(id: string): Promise<number[]>;
  /**
   * The directories of the cgroup that a running container was made in, wherever its processes went since, by
   * controller (`''`: the unified hierarchy). `undefined` if it does not run.
   */
  cgroups(id: string): Promise<Readonly<Record<string, string>> | undefined>;
  /** Resolves when the container's process has ended and its output is drained; at once if it already has. */
  wait(id: string, signal?: AbortSignal): Promise<Exit>;
  /**
   * Calls `told` once, as soon as the kernel has killed a process of the running container for memory, also if that was
   * before; not if it cannot be seen before the exit. Disposed, it calls no more.
   */
  watchOom(id: string, told: () => void): Disposable;
  /** The recorded exit of an ended container, `undefined` while it runs (or when nothing is known). */
  exit(id: string): Promise<Exit | undefined>;
  /**
   * `conflict` if it does not run. May be called between `create` and `start`: then no byte is missed. A client without
   * `input` (default true) leaves stdin to the others, also when it goes.
   */
  attach(id: string, options?: { readonly input?: boolean }): Promise<Attachment>;
  /**
   * Has the container's monitor go on in a new file at `log.path`, which takes the name over from the file `log.ino`;
   * whoever wants to keep that one has given it a second name before. Resolves when the name is another file's: the
   * old one is written to no more. Nothing happens if it already is; so a call may be repeated, also by a later engine.
   * `conflict` if the container does not run.
   */
  reopenLog(id: string, log: LogFileIdentity): Promise<void>;
  /** Characters. */
  resize(id: string, size: { readonly height: number; readonly width: number }): Promise<void>;

  /** Starts a further process in a running container, attached from its first byte unless `attach` is false. */
  exec(
    id: string,
    options: ExecOptions & { readonly attach: boolean },
    signal?: AbortSignal,
  ): Promise<{ readonly pid: number; readonly attachment?: Attachment }>;
  waitExec(id: string, execId: string, signal?: AbortSignal): Promise<Exit>;
  resizeExec(
    id: string,
    execId: string,
    size: { readonly height: number; readonly width: number },
  ): Promise<void>;
  /** Forgets an ended exec's files. */
  deleteExec(id: string, execId: string): Promise<void>;
  /** Forgets the files of execs that an earlier engine began and that have ended; the others go on. */
  recoverExecs(): Promise<void>;
}

export interface LogRecord {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string;
  /** With its line feed, unless it is a partial line. */
  readonly data: Buffer;
}

export interface LogQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Last n lines; `undefined` is all. */
  readonly tail?: number;
  readonly sinceNano?: bigint;
  readonly untilNano?: bigint;
  /** Goes on with new output until `ended` is aborted (the container stopped) or the signal aborts. */
  readonly follow?: { readonly ended: AbortSignal };
}

export interface LastLinesQuery {
  readonly lines: number;
  /** Of the text of all of them. */
  readonly bytes: number;
  readonly sinceNano?: bigint;
}

/** A place between two records of a log: the number of a part, which it keeps when it is rotated, and an offset. */
export interface LogPosition {
  readonly part: number;
  readonly offset: number;
}

/** A record and where it begins. */
export type PlacedRecord = LogRecord & { readonly at: LogPosition };

/** Reads a container's log file as its monitor writes it. */
export interface LogReader {
  /**
   * What was written from a place on, until all is read that was written before `ended` was aborted. `end` is where to
   * go on after these records. What limits have taken away is passed over.
   */
  from(
    path: string,
    start: LogPosition,
    options: { readonly ended: AbortSignal; readonly signal?: AbortSignal },
  ): AsyncIterable<{ readonly records: PlacedRecord[]; readonly end: LogPosition }>;
  read(path: string, query: LogQuery, signal?: AbortSignal): AsyncIterable<LogRecord[]>;
  /**
   * The last lines, whole or the end of the first of them. It reads some KiB of however big a log, so of lines that are
   * longer than a record there may be fewer.
   */
  lastLines(path: string, query: LastLinesQuery): Promise<LogRecord[]>;
  /** The same for callers that want bytes: Docker's stream frames (or raw with a terminal), optional time and `prefix` before each line. */
  stream(
    path: string,
    query: LogQuery & { readonly framed: boolean; readonly timestamps: boolean; readonly prefix?: string },
    signal?: AbortSignal,
  ): Readable;
}
