import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import { killGroupOf } from '../../lib/run.ts';
import type { Attachment, ExecOptions, Exit } from '../oci-runtime.ts';
import { attachTo } from './attachment.ts';
import { execError, runtimeMessage } from './errors.ts';
import { isMonitorOf, killMonitor, monitorPid, readExit, writeExit } from './exits.ts';
import { notRunning, type RuntimeHost } from './host.ts';
import { type MonitorMeta, monitorFiles, readMeta } from './layout.ts';
import { type Monitor, startMonitor } from './monitor.ts';
import { exists, namesIn, readOptional } from './state.ts';
import type { Size, Terminals } from './terminals.ts';

export interface StartedExec {
  readonly pid: number;
  readonly attachment?: Attachment;
}

/** Further processes in running containers, each with a monitor of its own. */
export class Execs {
  readonly #host: RuntimeHost;
  readonly #terminals: Terminals;

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
    if (!(await exists(this.#host.layout.container(id)))) throw notRunning(id);
    const directory = this.#host.layout.exec(id, options.execId);
    const process = join(directory, monitorFiles.process);
    const meta: MonitorMeta = {
      sockets: directory,
      stdin: options.stdin,
      terminal: options.terminal,
      ...(options.endsWithEngine === true ? { endsWithEngine: true } : {}),
    };
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const [args] = await Promise.all([
      this.#host.monitorArgs({ id, uuid: options.execId, directory }),
      writeFile(join(directory, monitorFiles.meta), JSON.stringify(meta)),
      writeFile(process, JSON.stringify(options.process)),
    ]);
    const monitor = startMonitor({
      cwd: directory,
      temporary: this.#host.run,
      path: this.#host.path,
      attach: options.attach,
      args: [
        ...args,
        ...['-b', directory, '-l', 'none', '-e', '--exec-process-spec', process],
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
    const recorded = await readExit(directory);
    if (recorded !== undefined) return recorded;
    if ((await readMeta(directory)) === undefined) throw noSuchExec(execId);
    await this.#host.monitors.ended(directory, () => this.#lost(directory), signal);
    const exit = await readExit(directory);
    if (exit === undefined) throw noSuchExec(execId);
    return exit;
  }

  async resize(id: string, execId: string, size: Size): Promise<void> {
    const directory = this.#host.layout.exec(id, execId);
    const target = { directory, what: `exec ${execId}`, missing: () => noSuchExec(execId) };
    await this.#terminals.resize(target, size);
  }

  async forget(id: string, execId: string): Promise<void> {
    await rm(this.#host.layout.exec(id, execId), { recursive: true, force: true });
  }

  async recover(): Promise<void> {
    for (const id of await namesIn(this.#host.layout.allExecs)) {
      if (!(await exists(this.#host.layout.container(id)))) {
        await rm(this.#host.layout.execs(id), { recursive: true, force: true });
        continue;
      }
      for (const execId of await namesIn(this.#host.layout.execs(id))) await this.#recover(id, execId);
    }
  }

  async #recover(id: string, execId: string): Promise<void> {
    const directory = this.#host.layout.exec(id, execId);
    const monitored = await isMonitorOf(await monitorPid(directory), directory);
    if (monitored && (await readMeta(directory))?.endsWithEngine !== true) return;
    if (monitored) {
      const pid = await pidOf(directory);
      if (pid > 0) killGroupOf(pid);
      await killMonitor(directory);
    }
    await this.forget(id, execId);
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
      alive: async () => isRunning(await pidOf(directory)),
    });
    monitor.release();
    return attachment;
  }

  async #lost(directory: string): Promise<void> {
    await this.#kill(directory);
    await writeExit(directory, 137);
  }

  async #kill(directory: string): Promise<void> {
    const pid = await pidOf(directory);
    try {
      if (pid > 0) process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (!hasErrno(error, 'ESRCH')) throw error;
    }
  }
}

async function pidOf(directory: string): Promise<number> {
  return Number((await readOptional(join(directory, monitorFiles.pid))) ?? 0);
}

async function isRunning(pid: number): Promise<boolean> {
  const stat = await readOptional(`/proc/${pid}/stat`);
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
