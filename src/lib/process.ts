import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants as fileConstants } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { EngineError, hasErrno } from '../errors/index.ts';
import { sendSignal } from './send-signal.ts';

/** The Debian package of each program the engine spawns, to name it when it is missing. */
const packageOf: Readonly<Record<string, string>> = {
  runc: 'runc',
  crun: 'crun',
  conmon: 'conmon',
  nft: 'nftables',
  ip: 'iproute2',
  tar: 'tar',
  ps: 'procps',
  mount: 'mount',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  apparmor_parser: 'apparmor',
  xz: 'xz-utils',
  bzip2: 'bzip2',
};

/** Spawns a program for streaming; the caller owns its streams and awaits `exitOf`. */
export function start(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn(program, args, { ...options, detached: true });
}

/** The exit code of a started program (128 + n after signal n). Rejects if it could not be spawned. */
export async function exitOf(program: string, child: ChildProcess): Promise<number> {
  if (child.exitCode !== null) return child.exitCode;
  try {
    const [code, signal] = (await once(child, 'exit')) as [number, null] | [null, NodeJS.Signals];
    return code === null ? 128 + constants.signals[signal] : code;
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    throw missingProgram(program, error);
  }
}

/** The path of a program, from the first of these colon-separated directories that has it. Throws `unavailable`. */
export function findProgram(program: string, searchPath: string): string {
  for (const directory of searchPath.split(delimiter)) {
    const path = join(directory, program);
    try {
      accessSync(path, fileConstants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  throw missingProgram(program);
}

/** The error for a program that is not there, with the package that brings it. */
export function missingProgram(program: string, cause?: unknown): EngineError {
  const name = packageOf[program];
  const hint = name === undefined ? '' : `: install the package "${name}"`;
  return new EngineError('unavailable', `Cannot run ${program}: the program is missing${hint}`, { cause });
}

/** Ends a started program and everything in its process group. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (child.pid !== undefined) sendSignal(-child.pid, signal);
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
