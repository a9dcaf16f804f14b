import { closeSync, constants } from 'node:fs';
import { Socket } from 'node:net';
import koffi from 'koffi';
import { watchProcess } from './fd-socket.ts';
import { systemError } from './native.ts';
import { findProgram } from './process.ts';
import { reapChild } from './reap-child.ts';

/**
 * posix_spawn(3). Node's own spawn forks, and copying the page tables of a process with 100 MiB takes the only
 * JavaScript thread 3 to 5 ms each time; this takes a tenth of it. For programs on hot paths.
 */
const libc = koffi.load('libc.so.6');
const spawnCall = libc.func(
  'int posix_spawn(_Out_ int *pid, const char *path, uint8_t *actions, uint8_t *attributes, const char **argv, const char **envp)',
);
const actionsInit = libc.func('int posix_spawn_file_actions_init(uint8_t *actions)');
const actionsDestroy = libc.func('int posix_spawn_file_actions_destroy(uint8_t *actions)');
const addOpen = libc.func(
  'int posix_spawn_file_actions_addopen(uint8_t *actions, int fd, const char *path, int flags, unsigned int mode)',
);
const addDup = libc.func('int posix_spawn_file_actions_adddup2(uint8_t *actions, int fd, int target)');
const addChdir = libc.func('int posix_spawn_file_actions_addchdir_np(uint8_t *actions, const char *path)');
const attributesInit = libc.func('int posix_spawnattr_init(uint8_t *attributes)');
const setFlags = libc.func('int posix_spawnattr_setflags(uint8_t *attributes, short flags)');
const setDefaults = libc.func(
  'int posix_spawnattr_setsigdefault(uint8_t *attributes, const uint8_t *signals)',
);
const pipeCall = libc.func('int pipe2(_Out_ int *fds, int flags)');
const duplicate = libc.func('int fcntl(int fd, int command, int least)');

/** Larger than glibc's opaque structs on any architecture. */
const structBytes = 1024;
const closeOnExec = 0o2000000;
const duplicateCloseOnExec = 1030;
/** Above every descriptor number a child is given, so that no dup2 lands on a source. */
const leastSource = 32;
const newSession = 0x80;
const defaultSignals = 0x04;
/** Node ignores them, and an ignored signal stays ignored over exec. */
const ignoredByNode = [13, 25];

export interface FastSpawnOptions {
  /** Default: this process's directory. */
  readonly cwd?: string;
  /** All of it; default this process's. Its `PATH` is where the program is looked for. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What the child does with each of its descriptors, from 0 on: a pipe to us, or /dev/null. */
  readonly stdio: readonly Stdio[];
}

export type Stdio = 'read' | 'write' | 'null';

export interface FastChild {
  readonly pid: number;
  /** Our ends by the child's descriptor; nothing for /dev/null. */
  readonly stdio: readonly (Socket | undefined)[];
  /** The exit code; 128 + n after signal n. */
  readonly exited: Promise<number>;
}

/** Starts a program in a session of its own. Throws `unavailable` if it is missing, else errors like Node's. */
export function spawnFast(program: string, args: readonly string[], options: FastSpawnOptions): FastChild {
  // eslint-disable-next-line no-restricted-properties -- passed on whole, as Node's own spawn does
  const env = options.env ?? process.env;
  const path = program.includes('/') ? program : findProgram(program, env['PATH'] ?? '');
  const pipes: (Pipe | undefined)[] = [];
  try {
    for (const use of options.stdio) pipes.push(use === 'null' ? undefined : openPipe(use));
    const fds = pipes.map((pipe) => pipe?.theirs);
    const pid = spawn({ path, argv: [program, ...args], env, cwd: options.cwd, fds });
    const ended = watchProcess(pid)?.ended ?? Promise.resolve();
    return { pid, stdio: pipes.map((pipe) => pipe?.take()), exited: ended.then(() => reap(pid)) };
  } catch (error) {
    for (const pipe of pipes) if (pipe !== undefined) closeSync(pipe.ours);
    throw error;
  } finally {
    for (const pipe of pipes) if (pipe !== undefined) closeSync(pipe.theirs);
  }
}

interface Pipe {
  readonly ours: number;
  readonly theirs: number;
  readonly take: () => Socket;
}

function openPipe(use: 'write' | 'read'): Pipe {
  const ends = [0, 0];
  if ((pipeCall(ends, closeOnExec) as number) !== 0) throw systemError('pipe2', '');
  const [readEnd = 0, writeEnd = 0] = ends;
  const [ours, low] = use === 'write' ? [readEnd, writeEnd] : [writeEnd, readEnd];
  const theirs = duplicate(low, duplicateCloseOnExec, leastSource) as number;
  closeSync(low);
  if (theirs < 0) {
    closeSync(ours);
    throw systemError('fcntl', 'a pipe');
  }
  const take = () => new Socket({ fd: ours, readable: use === 'write', writable: use === 'read' });
  return { ours, theirs, take };
}

interface Start {
  readonly path: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string | undefined;
  /** By the child's descriptor; `undefined` is /dev/null. */
  readonly fds: readonly (number | undefined)[];
}

function spawn({ path, argv, env, cwd, fds }: Start): number {
  const actions = Buffer.alloc(structBytes);
  const attributes = Buffer.alloc(structBytes);
  const signals = Buffer.alloc(128);
  for (const signal of ignoredByNode) {
    const at = (signal - 1) >> 3;
    signals[at] = (signals[at] ?? 0) | (1 << ((signal - 1) & 7));
  }
  check(actionsInit(actions), path);
  try {
    check(attributesInit(attributes), path);
    check(setFlags(attributes, newSession | defaultSignals), path);
    check(setDefaults(attributes, signals), path);
    if (cwd !== undefined) check(addChdir(actions, cwd), path);
    for (const [target, fd] of fds.entries()) {
      if (fd === undefined) check(addOpen(actions, target, '/dev/null', constants.O_RDWR, 0), path);
      else check(addDup(actions, fd, target), path);
    }
    const envp = Object.entries(env).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    );
    const pid = [0];
    check(spawnCall(pid, path, actions, attributes, [...argv, null], [...envp, null]), path);
    return pid[0] ?? 0;
  } finally {
    actionsDestroy(actions);
  }
}

/** These calls return the error number itself. */
function check(result: unknown, path: string): void {
  if (result === 0) return;
  koffi.errno(result as number);
  throw systemError('posix_spawn', path);
}

function reap(pid: number): number {
  const exitCode = reapChild(pid);
  if (exitCode === undefined) throw systemError('waitpid', String(pid));
  return exitCode;
}
