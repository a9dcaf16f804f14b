import { existsSync, statSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors/index.ts';
import { type ProcessWatch, watchProcess } from '../../lib/fd-socket.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import { readMemoryFile } from '../../lib/memory-files.ts';
import { ifThere } from '../../lib/missing-files.ts';
import { reapChild } from '../../lib/reap-child.ts';
import type { Exit } from '../oci-runtime.ts';
import { monitorFiles } from './layout.ts';
import { StdinHold } from './stdin-hold.ts';

/** The exit that a monitor recorded in its directory, `undefined` before it did and once the directory is removed. */
export function readExit(directory: string): Exit | undefined {
  const path = join(directory, monitorFiles.exit);
  const text = readMemoryFile(path);
  const finishedAt = statSync(path, { throwIfNoEntry: false })?.mtime;
  if (text === undefined || finishedAt === undefined) return undefined;
  const oomKilled = existsSync(join(directory, monitorFiles.oom));
  return { exitCode: Number(text), oomKilled, finishedAt };
}

/** Records an exit in a monitor's place; in vain when its directory has just been removed. */
export async function writeExit(directory: string, exitCode: number): Promise<void> {
  const path = join(directory, monitorFiles.exit);
  const write = async () => {
    await writeFile(`${path}.tmp`, String(exitCode));
    await rename(`${path}.tmp`, path);
  };
  await ifThere(write());
}

/** Leaves an exit in its directory, with what only the container's cgroup told. */
export async function keepExit(directory: string, { oomKilled }: Exit): Promise<void> {
  if (oomKilled) await ifThere(writeFile(join(directory, monitorFiles.oom), ''));
}

/**
 * Waits for monitors to end, one pidfd a monitor and no polling: a monitor's last act is to write the exit file,
 * after it has passed on all output.
 */
export class Monitors implements Disposable {
  readonly #pending = new Map<string, Pending>();

  /**
   * Resolves when the monitor of this directory has ended. `lost` runs first if it ended without an exit file (it
   * was killed) and is to end the process and record an exit.
   */
  async ended(directory: string, lost: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    await raceAbort(this.follow(directory, lost).ended, signal);
  }

  /** Does for a monitor what `ended` does while it waits, where nobody waits. */
  follow(directory: string, lost: () => Promise<void>): Pick<Pending, 'ended'> {
    return this.#pending.get(directory) ?? this.#watch(directory, lost);
  }

  [Symbol.dispose](): void {
    for (const { holds, fail } of this.#pending.values()) {
      holds.dispose();
      fail(new EngineError('cancelled', 'The runtime is closing'));
    }
    this.#pending.clear();
  }

  #watch(directory: string, lost: () => Promise<void>): Pending {
    const failed = Promise.withResolvers<never>();
    const holds = new DisposableStack();
    const ended = Promise.race([followToEnd({ directory, lost, holds }), failed.promise]);
    const pending = { holds, fail: failed.reject, ended };
    this.#pending.set(directory, pending);
    const forget = () => {
      if (this.#pending.get(directory) === pending) this.#pending.delete(directory);
    };
    ended.then(forget, forget);
    return pending;
  }
}

interface Pending {
  /** What is open of a monitor while it is followed. */
  readonly holds: DisposableStack;
  readonly fail: (reason: Error) => void;
  readonly ended: Promise<void>;
}

/** Does not settle once `holds` is disposed of. */
async function followToEnd({
  directory,
  lost,
  holds,
}: {
  readonly directory: string;
  readonly lost: () => Promise<void>;
  readonly holds: DisposableStack;
}): Promise<void> {
  const monitor = watchMonitor(directory);
  if (monitor !== undefined) {
    holds.use(monitor.watch);
    holds.use(holdStdin(monitor, directory));
    await monitor.watch.ended;
    holds.dispose();
    reapChild(monitor.pid);
  }
  if (!existsSync(join(directory, monitorFiles.exit))) await lost();
}

/** Ends a monitor, and with it a runtime command that it waits for. */
export async function killMonitor(directory: string): Promise<void> {
  const monitor = watchMonitor(directory);
  if (monitor === undefined) return;
  using watch = monitor.watch;
  process.kill(monitor.pid, 'SIGKILL');
  await watch.ended;
  reapChild(monitor.pid);
}

/** 0 or NaN when there is none yet. */
export function monitorPid(directory: string): number {
  return Number(readMemoryFile(join(directory, monitorFiles.monitorPid)));
}

interface Monitor {
  readonly pid: number;
  readonly commandLine: readonly string[];
  readonly watch: ProcessWatch;
}

function watchMonitor(directory: string): Monitor | undefined {
  const pid = monitorPid(directory);
  if (!(pid > 0)) return undefined;
  const watch = watchProcess(pid);
  // Only after the watch is open is it certain that the pid stays the same process.
  if (watch === undefined) return undefined;
  const commandLine = commandLineOf(pid);
  if (commandLine.includes(directory)) return { pid, commandLine, watch };
  watch[Symbol.dispose]();
  return undefined;
}

/** Tells a monitor from a later process with its pid. */
export function isMonitorOf(pid: number, directory: string): boolean {
  return commandLineOf(pid).includes(directory);
}

function commandLineOf(pid: number): string[] {
  return (readMemoryFile(`/proc/${pid}/cmdline`) ?? '').split('\0');
}

/** A terminal is no pipe: what nobody reads of it is its own to bound. */
function holdStdin({ pid, commandLine }: Monitor, directory: string): StdinHold | undefined {
  if (!commandLine.includes('-i') || commandLine.includes('-t')) return undefined;
  const hold = StdinHold.of(pid);
  // It is the monitor's only if the pid still is.
  if (isMonitorOf(pid, directory)) return hold;
  hold?.[Symbol.dispose]();
  return undefined;
}
