import type { Readable } from 'node:stream';
import { EngineError } from '../errors/index.ts';
import { ignoreClosed } from './ignore-closed.ts';
import { failure } from './process.ts';
import { sendSignal } from './send-signal.ts';
import { spawnFast } from './spawn-fast.ts';

export interface RunOptions {
  /** Written to stdin, which is then closed. Without it stdin is /dev/null. */
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  /** All of the program's environment; default this process's. */
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
  const child = spawnFast(program, args, {
    stdio: [options.input === undefined ? 'null' : 'read', 'write', 'write'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  const [stdin, stdout, stderr] = child.stdio;
  let ended = false;
  const kill = () => {
    if (!ended) killGroupOf(child.pid);
  };
  options.signal?.addEventListener('abort', kill, { once: true });
  try {
    stdin?.on('error', ignoreClosed);
    if (options.input !== undefined) stdin?.end(options.input);
    const limit = options.maxBytes ?? 16 << 20;
    const [exitCode, output, errors] = await Promise.all([
      child.exited.finally(() => {
        ended = true;
      }),
      collect(program, stdout, limit),
      collect(program, stderr, limit),
    ]);
    options.signal?.throwIfAborted();
    if (!(options.accept ?? [0]).includes(exitCode)) throw failure(program, args, exitCode, errors || output);
    return { stdout: output, stderr: errors, exitCode };
  } finally {
    options.signal?.removeEventListener('abort', kill);
    kill();
  }
}

/** Kills a process and the group it leads; one that is gone already is no error. */
export function killGroupOf(pid: number): void {
  sendSignal(-pid, 'SIGKILL');
}

async function collect(program: string, stream: Readable | undefined, limit: number): Promise<string> {
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
