import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { EngineError, hasErrno } from '../errors/index.ts';

/** The Debian package of each program the engine spawns, to name it when it is missing. */
const packageOf: Readonly<Record<string, string>> = {
  runc: 'runc',
  crun: 'crun',
  conmon: 'conmon',
  nft: 'nftables',
  ip: 'iproute2',
  tar: 'tar',
  ps: 'procps',
  apparmor_parser: 'apparmor',
  xz: 'xz-utils',
  bzip2: 'bzip2',
};

export interface RunOptions {
  /** Written to stdin, which is then closed. Without it stdin is /dev/null. */
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Most bytes of stdout (and of stderr) kept; more is an error. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Exit codes that are not an error. Default only 0. */
  readonly accept?: readonly number[];
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/**
 * Runs a program to its end: an argument array, no shell, a process group of its own that gets SIGKILL on abort.
 * Rejects with `unavailable` and the package's name if the program is missing, `internal` with its stderr if it fails.
 */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const child = start(program, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
  });
  const kill = () => {
    killGroup(child);
  };
  options.signal?.addEventListener('abort', kill, { once: true });
  try {
    const exited = exitOf(program, child);
    if (options.input !== undefined) {
      child.stdin?.on('error', ignoreEpipe);
      child.stdin?.end(options.input);
    }
    const limit = options.maxBytes ?? 16 << 20;
    const [exitCode, stdout, stderr] = await Promise.all([
      exited,
      collect(program, child.stdout, limit),
      collect(program, child.stderr, limit),
    ]);
    options.signal?.throwIfAborted();
    if (!(options.accept ?? [0]).includes(exitCode)) throw failure(program, args, exitCode, stderr || stdout);
    return { stdout, stderr, exitCode };
  } finally {
    options.signal?.removeEventListener('abort', kill);
    if (child.exitCode === null && child.signalCode === null) killGroup(child);
  }
}

/** Spawns a program for streaming; the caller owns its streams and awaits `exitOf`. */
export function start(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn(program, args, { ...options, detached: true });
}

/** The exit code of a started program (128 + n after signal n). Rejects if it could not be spawned. */
export async function exitOf(program: string, child: ChildProcess): Promise<number> {
  if (child.exitCode !== null) return child.exitCode;
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (signal === 'SIGKILL' ? 9 : signal === 'SIGTERM' ? 15 : 1);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    throw missingProgram(program, error);
  }
}

/** The error for a program that is not there, with the package that brings it. */
export function missingProgram(program: string, cause?: unknown): EngineError {
  const name = packageOf[program];
  const hint = name === undefined ? '' : `: install the package "${name}"`;
  return new EngineError('unavailable', `Cannot run ${program}: the program is missing${hint}`, { cause });
}

/** Ends a started program and everything in its process group. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** The error for a program that ended with a code nobody expected. */
export function failure(
  program: string,
  args: readonly string[],
  exitCode: number,
  output: string,
): EngineError {
  const detail = output.trim() || `exit code ${exitCode}`;
  return new EngineError('internal', `${program} ${args[0] ?? ''} failed: ${detail}`);
}

async function collect(program: string, stream: Readable | null, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream ?? []) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > limit) throw new EngineError('internal', `${program} printed more than ${limit} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function ignoreEpipe(error: Error): void {
  // The program ended without reading all its input; its exit code tells why.
  if (!hasErrno(error, 'EPIPE')) throw error;
}
