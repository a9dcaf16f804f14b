import { rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors/index.ts';
import { type ProcessWatch, watchProcess } from '../../lib/fd-socket.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import { exists, ifThere, readOptional } from '../../lib/missing-files.ts';
import { reapChild } from '../../lib/reap-child.ts';
import type { Exit } from '../oci-runtime.ts';
import { monitorFiles } from './layout.ts';
import { StdinHold } from './stdin-hold.ts';

/** The exit that a monitor recorded in its directory, `undefined` before it did and once the directory is removed. */
export async function readExit(directory: string): Promise<Exit | undefined> {
  const path = join(directory, monitorFiles.exit);
  const text = await readOptional(path);
  if (text === undefined) return undefined;
  const [stats, oomKilled] = await Promise.all([
    ifThere(stat(path)),
    exists(join(directory, monitorFiles.oom)),
  ]);
  if (stats === undefined) return undefined;
  return { exitCode: Number(text), oomKilled, finishedAt: stats.mtime };
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
    for (const { watch, stdin, fail } of this.#pending.values()) {
      watch?.[Symbol.dispose]();
      stdin?.[Symbol.dispose]();
      fail(new EngineError('cancelled', 'The runtime is closing'));
    }
    this.#pending.clear();
  }

  #watch(directory: string, lost: () => Promise<void>): Pending {
    const failed = Promise.withResolvers<never>();
    const pending: Pending = {
      watch: undefined,
      stdin: undefined,
      fail: failed.reject,
      ended: Promise.race([this.#follow(directory, lost), failed.promise]),
    };
    this.#pending.set(directory, pending);
    const forget = () => {
      if (this.#pending.get(directory) === pending) this.#pending.delete(directory);
    };
    pending.ended.then(forget, forget);
    return pending;
  }

  async #follow(directory: string, lost: () => Promise<void>): Promise<void> {
    const monitor = await watchMonitor(directory);
    if (monitor !== undefined) {
      using stdin = await holdStdin(monitor, directory);
      const pending = this.#pending.get(directory);
      if (pending === undefined) {
        // Closed meanwhile.
        monitor.watch[Symbol.dispose]();
        return;
      }
      pending.watch = monitor.watch;
      pending.stdin = stdin;
      await monitor.watch.ended;
      reapChild(monitor.pid);
    }
    if (!(await exists(join(directory, monitorFiles.exit)))) await lost();
  }
}

interface Pending {
  watch: ProcessWatch | undefined;
  stdin: StdinHold | undefined;
  readonly fail: (reason: Error) => void;
  readonly ended: Promise<void>;
}

/** Ends a monitor, and with it a runtime command that it waits for. */
export async function killMonitor(directory: string): Promise<void> {
  const monitor = await watchMonitor(directory);
  if (monitor === undefined) return;
  using watch = monitor.watch;
  process.kill(monitor.pid, 'SIGKILL');
  await watch.ended;
  reapChild(monitor.pid);
}

/** 0 or NaN when there is none yet. */
export async function monitorPid(directory: string): Promise<number> {
  return Number(await readOptional(join(directory, monitorFiles.monitorPid)));
}

interface Monitor {
  readonly pid: number;
  readonly commandLine: readonly string[];
  readonly watch: ProcessWatch;
}

async function watchMonitor(directory: string): Promise<Monitor | undefined> {
  const pid = await monitorPid(directory);
  if (!(pid > 0)) return undefined;
  const watch = watchProcess(pid);
  // Only after the watch is open is it certain that the pid stays the same process.
  if (watch === undefined) return undefined;
  const commandLine = await commandLineOf(pid);
  if (commandLine.includes(directory)) return { pid, commandLine, watch };
  watch[Symbol.dispose]();
  return undefined;
}

/** Tells a monitor from a later process with its pid. */
export async function isMonitorOf(pid: number, directory: string): Promise<boolean> {
  return (await commandLineOf(pid)).includes(directory);
}

async function commandLineOf(pid: number): Promise<string[]> {
  return ((await readOptional(`/proc/${pid}/cmdline`)) ?? '').split('\0');
}

/** A terminal is no pipe: what nobody reads of it is its own to bound. */
async function holdStdin({ pid, commandLine }: Monitor, directory: string): Promise<StdinHold | undefined> {
  if (!commandLine.includes('-i') || commandLine.includes('-t')) return undefined;
  const hold = StdinHold.of(pid);
  // It is the monitor's only if the pid still is.
  if (await isMonitorOf(pid, directory)) return hold;
  hold?.[Symbol.dispose]();
  return undefined;
}
