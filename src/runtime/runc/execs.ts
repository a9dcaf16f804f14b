import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../errors/index.ts';
import { watchProcess } from '../../lib/fd-socket.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import { readMemoryFile } from '../../lib/memory-files.ts';
import { namesIn } from '../../lib/missing-files.ts';
import { reapChild } from '../../lib/reap-child.ts';
import { removeTree } from '../../lib/remove-directory.ts';
import { killGroupOf } from '../../lib/run.ts';
import { sendSignal } from '../../lib/send-signal.ts';
import type { Attachment, ExecOptions, Exit } from '../oci-runtime.ts';
import { AdoptedExec } from './adopted-exec.ts';
import { attachTo } from './attachment.ts';
import { execError, runtimeMessage } from './errors.ts';
import { isMonitorOf, killMonitor, monitorPid, readExit, writeExit } from './exits.ts';
import { notRunning, type RuntimeHost } from './host.ts';
import { type MonitorMeta, monitorFiles, readMeta } from './layout.ts';
import { type Monitor, startMonitor } from './monitor.ts';
import type { Size, Terminals } from './terminals.ts';

export interface StartedExec {
  readonly pid: number;
  readonly attachment?: Attachment;
}

interface Target {
  /** The container. */
  readonly id: string;
  readonly directory: string;
  readonly options: ExecOptions & { readonly attach: boolean };
}

/** Further processes in running containers: our children where that is possible, else with a monitor of their own. */
export class Execs {
  readonly #host: RuntimeHost;
  readonly #terminals: Terminals;
  /** By their directories, until forgotten. */
  readonly #adopted = new Map<string, AdoptedExec>();

  constructor(host: RuntimeHost, terminals: Terminals) {
    this.#host = host;
    this.#terminals = terminals;
  }

  async start(
    id: string,
    options: ExecOptions & { readonly attach: boolean },
    signal?: AbortSignal,
  ): Promise<StartedExec> {
    signal?.throwIfAborted();
    if (!existsSync(this.#host.layout.container(id))) throw notRunning(id);
    const directory = this.#host.layout.exec(id, options.execId);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, monitorFiles.meta), JSON.stringify(metaOf(directory, options)));
    writeFileSync(join(directory, monitorFiles.process), JSON.stringify(options.process));
    const adopt = this.#host.adopts && options.attach && !options.terminal && options.sharesPids !== true;
    return adopt
      ? this.#startAdopted({ id, directory, options }, signal)
      : this.#startMonitored({ id, directory, options }, signal);
  }

  async #startAdopted({ id, directory, options }: Target, signal?: AbortSignal): Promise<StartedExec> {
    // What it runs may have ended before we know its pid.
    using _coming = this.#host.orphans.expecting();
    const starting = AdoptedExec.start(this.#host, {
      id,
      directory,
      stdin: options.stdin,
      failure: (log) => startError(this.#host.program, id, log),
    });
    try {
      const exec = await raceAbort(starting, signal);
      this.#adopted.set(directory, exec);
      return exec;
    } catch (error) {
      const exec = await starting.catch(() => undefined);
      if (exec !== undefined) await exec.kill();
      await this.forget(id, options.execId);
      throw error;
    }
  }

  async #startMonitored({ id, directory, options }: Target, signal?: AbortSignal): Promise<StartedExec> {
    const meta = metaOf(directory, options);
    const monitor = startMonitor({
      cwd: directory,
      temporary: this.#host.run,
      path: this.#host.path,
      attach: options.attach,
      args: [
        ...this.#host.monitorArgs({ id, uuid: options.execId, directory }),
        ...[
          '-b',
          directory,
          '-l',
          'none',
          '-e',
          '--exec-process-spec',
          join(directory, monitorFiles.process),
        ],
        ...(options.attach ? ['--exec-attach'] : []),
        ...(options.terminal ? ['-t', '--leave-stdin-open'] : []),
        ...(options.stdin ? ['-i'] : []),
      ],
    });
    let attachment: Attachment | undefined;
    try {
      if (options.attach)
        attachment = await raceAbort(this.#attach(monitor, { directory, meta, id }), signal);
      const report = await raceAbort(monitor.report(), signal);
      if (report.data <= 0) throw startError(this.#host.program, id, report.message ?? '');
      await monitor.detached();
      signal?.throwIfAborted();
      return { pid: report.data, ...(attachment === undefined ? {} : { attachment }) };
    } catch (error) {
      await attachment?.[Symbol.asyncDispose]();
      await monitor.detached();
      await killMonitor(directory);
      await this.#kill(directory);
      await this.forget(id, options.execId);
      throw error;
    } finally {
      monitor.close();
    }
  }

  async wait(id: string, execId: string, signal?: AbortSignal): Promise<Exit> {
    const directory = this.#host.layout.exec(id, execId);
    const adopted = this.#adopted.get(directory);
    if (adopted !== undefined) return raceAbort(adopted.exit, signal);
    const recorded = readExit(directory);
    if (recorded !== undefined) return recorded;
    if (readMeta(directory) === undefined) throw noSuchExec(execId);
    await this.#host.monitors.ended(directory, () => this.#lost(directory), signal);
    const exit = readExit(directory);
    if (exit === undefined) throw noSuchExec(execId);
    return exit;
  }

  async resize(id: string, execId: string, size: Size): Promise<void> {
    const directory = this.#host.layout.exec(id, execId);
    const target = { directory, what: `exec ${execId}`, missing: () => noSuchExec(execId) };
    await this.#terminals.resize(target, size);
  }

  async forget(id: string, execId: string): Promise<void> {
    const directory = this.#host.layout.exec(id, execId);
    this.#adopted.delete(directory);
    if (this.#host.adopts) this.#host.orphans.note();
    await removeTree(directory);
  }

  async recover(): Promise<void> {
    for (const id of await namesIn(this.#host.layout.allExecs)) {
      if (!existsSync(this.#host.layout.container(id))) {
        await removeTree(this.#host.layout.execs(id));
        continue;
      }
      for (const execId of await namesIn(this.#host.layout.execs(id))) await this.#recover(id, execId);
    }
  }

  async #recover(id: string, execId: string): Promise<void> {
    const directory = this.#host.layout.exec(id, execId);
    const monitored = isMonitorOf(monitorPid(directory), directory);
    const ends = readMeta(directory)?.endsWithEngine === true;
    if (monitored && !ends) {
      this.#host.monitors.follow(directory, () => this.#lost(directory));
      return;
    }
    const pid = pidOf(directory);
    if (ends && isProcessOf(pid, id)) killGroupOf(pid);
    if (monitored) await killMonitor(directory);
    await this.forget(id, execId);
  }

  /** Adopted execs go on without us, as when the engine is killed. */
  [Symbol.dispose](): void {
    for (const { attachment } of this.#adopted.values()) attachment.close();
    this.#adopted.clear();
  }

  async #attach(
    monitor: Monitor,
    target: { readonly directory: string; readonly meta: MonitorMeta; readonly id: string },
  ): Promise<Attachment> {
    const { directory, meta, id } = target;
    await monitor.ready();
    const attachment = await attachTo({
      directory,
      stdin: meta.stdin,
      what: `container ${id}`,
      alive: async () => isRunning(pidOf(directory)),
    });
    monitor.release();
    return attachment;
  }

  async #lost(directory: string): Promise<void> {
    await this.#kill(directory);
    await writeExit(directory, 137);
  }

  async #kill(directory: string): Promise<void> {
    const pid = pidOf(directory);
    if (pid === 0) return;
    using watch = watchProcess(pid);
    sendSignal(pid, 'SIGKILL');
    await watch?.ended;
    // One of ours that is not reaped would keep its container from ending.
    reapChild(pid);
  }
}

function metaOf(directory: string, { stdin, terminal, endsWithEngine }: ExecOptions): MonitorMeta {
  return {
    sockets: directory,
    stdin,
    terminal,
    ...(endsWithEngine === true ? { endsWithEngine: true } : {}),
  };
}

/** Tells a process of a container from a later one with its pid: a cgroup of a container has its id in its path. */
function isProcessOf(pid: number, id: string): boolean {
  return pid > 0 && (readMemoryFile(`/proc/${pid}/cgroup`) ?? '').includes(id);
}

function pidOf(directory: string): number {
  return Number(readMemoryFile(join(directory, monitorFiles.pid)) ?? 0);
}

function isRunning(pid: number): boolean {
  const stat = readMemoryFile(`/proc/${pid}/stat`);
  return stat !== undefined && !/^\d+ \(.*\) [ZX]/s.test(stat);
}

function startError(program: string, id: string, output: string): EngineError {
  const message = runtimeMessage(output);
  const gone = /cannot exec in a stopped container|container does not exist|container not running/;
  return gone.test(message) ? notRunning(id) : execError(program, output);
}

function noSuchExec(execId: string): EngineError {
  return new EngineError('notFound', `No such exec instance: ${execId}`);
}
