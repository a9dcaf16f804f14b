import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { watchProcess } from '../../lib/fd-socket.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import { namesIn } from '../../lib/missing-files.ts';
import { reapChild } from '../../lib/reap-child.ts';
import { cgroupPlaces, removeCgroup } from '../../lib/remove-cgroup.ts';
import { removeTree } from '../../lib/remove-directory.ts';
import { sendSignal } from '../../lib/send-signal.ts';
import type {
  Attachment,
  CreateOptions,
  Exit,
  LogFileIdentity,
  OciRuntime,
  RuntimeStatus,
} from '../oci-runtime.ts';
import type { RuntimeResources } from '../spec.ts';
import { attachTo } from './attachment.ts';
import { hadOomKill, processesOf, removeCgroups, thawForKill } from './cgroup.ts';
import { createError } from './errors.ts';
import { Execs } from './execs.ts';
import { keepExit, killMonitor, readExit, writeExit } from './exits.ts';
import { notFound, notRunning, RuntimeHost } from './host.ts';
import { type MonitorMeta, monitorFiles, readMeta } from './layout.ts';
import { LeftConnections } from './left-connections.ts';
import { LogReopenings } from './log-reopenings.ts';
import { startMonitor } from './monitor.ts';
import { type OomSign, OomWatch, oomSign } from './oom-watch.ts';
import { probe } from './probe.ts';
import { releaseInit } from './start-fifo.ts';
import { type ContainerState, isAlive, readContainerState, statusOf } from './state.ts';
import { type Size, Terminals } from './terminals.ts';

export interface RuncRuntimeOptions {
  /** A directory on a tmpfs, made if it is not there. A later runtime on it finds the same containers. */
  readonly run: string;
  readonly program: 'runc' | 'crun';
  /** Where programs are looked for, colon-separated. */
  readonly path?: string;
  /**
   * The process adopts orphans (`adoptOrphans`): what an attached exec without a terminal runs then becomes its child,
   * and needs no monitor. Default false.
   */
  readonly adopts?: boolean;
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const sigkill = 9;

/** The OCI runtime on runc (or crun) with conmon as monitor. */
export function createRuncRuntime(options: RuncRuntimeOptions): OciRuntime {
  const host = new RuntimeHost({
    ...options,
    path: options.path ?? defaultPath,
    adopts: options.adopts ?? false,
  });
  const terminals = new Terminals();
  const containers = new Containers(host, terminals);
  const execs = new Execs(host, terminals);
  return {
    name: options.program,
    probe: (signal) => probe(host, signal),
    create: (create, signal) => containers.create(create, signal),
    start: (id, signal) => containers.start(id, signal),
    kill: (id, signalNumber, kill) => containers.kill(id, signalNumber, kill?.all ?? false),
    pause: (id) => host.command(id, ['pause', id]),
    resume: (id) => host.command(id, ['resume', id]),
    update: (id, resources) => containers.update(id, resources),
    delete: (id, remove) => containers.delete(id, remove),
    state: (id) => containers.state(id),
    list: () => containers.list(),
    pids: (id) => containers.pids(id),
    cgroups: (id) => containers.cgroups(id),
    wait: (id, signal) => containers.wait(id, signal),
    watchOom: (id, told) => new OomWatch(containers.oomSign(id), told),
    exit: (id) => containers.exit(id),
    attach: (id, attach) => containers.attach(id, attach),
    reopenLog: (id, log) => containers.reopenLog(id, log),
    resize: (id, size) => containers.resize(id, size),
    exec: (id, exec, signal) => execs.start(id, exec, signal),
    waitExec: (id, execId, signal) => execs.wait(id, execId, signal),
    resizeExec: (id, execId, size) => execs.resize(id, execId, size),
    deleteExec: (id, execId) => execs.forget(id, execId),
    recoverExecs: () => execs.recover(),
    [Symbol.asyncDispose]: async () => {
      execs[Symbol.dispose]();
      containers[Symbol.dispose]();
      host[Symbol.dispose]();
    },
  };
}

class Containers implements Disposable {
  readonly #host: RuntimeHost;
  readonly #terminals: Terminals;
  readonly #reopenings = new LogReopenings();
  readonly #left = new LeftConnections();

  constructor(host: RuntimeHost, terminals: Terminals) {
    this.#host = host;
    this.#terminals = terminals;
  }

  async create(options: CreateOptions, signal?: AbortSignal): Promise<{ readonly pid: number }> {
    signal?.throwIfAborted();
    const { id, bundle } = options;
    const directory = this.#host.layout.container(id);
    const { stdin, stdinOnce, terminal } = options;
    const meta: MonitorMeta = { sockets: bundle, stdin, stdinOnce, terminal };
    // What an earlier run of the same container left.
    await removeTree(directory);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, monitorFiles.meta), JSON.stringify(meta));
    // It holds the environment, secrets included.
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(options.spec), { mode: 0o600 });
    const args = this.#host.monitorArgs({ id, uuid: id, directory });
    const monitor = startMonitor({
      cwd: directory,
      temporary: this.#host.run,
      path: this.#host.path,
      attach: false,
      args: [...args, '-b', bundle, ...logArgs(options.log), ...stdioArgs(options)],
    });
    try {
      const report = await raceAbort(monitor.report(), signal);
      if (report.data <= 0) throw createError(this.#host.program, report.message ?? '');
      await monitor.detached();
      signal?.throwIfAborted();
      return { pid: report.data };
    } catch (error) {
      await monitor.detached();
      await killMonitor(directory);
      // Whoever takes the rest away hears what stands in the way of that; here the reason counts.
      await Promise.allSettled([this.delete(id, { force: true })]);
      // Of which a runtime that was cut off has told nobody.
      const places = await cgroupPlaces(options.spec.linux.cgroupsPath);
      await Promise.allSettled(places.map(removeCgroup));
      throw error;
    } finally {
      monitor.close();
    }
  }

  async start(id: string, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#host.program === 'crun') return this.#host.command(id, ['start', id]);
    try {
      await releaseInit(this.#host.stateDirectory(id), () => this.#ended(id, signal));
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      await this.#stateOf(id);
      throw new EngineError('conflict', `container ${id} was already started`, { cause: error });
    }
  }

  async kill(id: string, signalNumber: number, all: boolean): Promise<void> {
    const state = readContainerState(this.#host.stateDirectory(id));
    if (state === undefined || !isAlive(state)) throw notRunning(id);
    const pids = all ? await processesOf(state) : [state.pid];
    for (const pid of pids) {
      if (!sendSignal(pid, signalNumber) && pid === state.pid) throw notRunning(id);
    }
    if (signalNumber === sigkill) await thawForKill(state);
  }

  async list(): Promise<string[]> {
    const { root, containers } = this.#host.layout;
    const [known, monitored] = await Promise.all([namesIn(root), namesIn(containers)]);
    return [...new Set([...known, ...monitored])];
  }

  async update(id: string, resources: RuntimeResources): Promise<void> {
    await this.#host.command(id, ['update', '--resources', '-', id], JSON.stringify(resources));
  }

  async delete(
    id: string,
    { force = false, keep }: { readonly force?: boolean; readonly keep?: Exit } = {},
  ): Promise<void> {
    // First, for what the cgroup told goes with it.
    if (keep !== undefined) await keepExit(this.#host.layout.container(id), keep);
    // A process of the container that is left to us to reap keeps the first one from going, and whoever kills it waiting.
    using _sweep = this.#host.adopts ? this.#host.orphans.during() : undefined;
    // An engine killed during `create` leaves a monitor whose runtime has not got as far as a state file.
    if (force && (await this.state(id)) === undefined) await killMonitor(this.#host.layout.container(id));
    if (!(await this.#removeEnded(id)) && existsSync(this.#host.stateDirectory(id))) {
      await this.#host.command(id, ['delete', ...(force ? ['--force'] : []), id]);
    }
    const directory = this.#host.layout.container(id);
    // The monitor writes its exit file on the way out; it must not come back after the removal.
    if (existsSync(join(directory, monitorFiles.monitorPid))) await this.#ended(id);
    this.#reopenings.forget(id);
    await Promise.all([
      keep === undefined ? removeTree(directory) : undefined,
      removeTree(this.#host.layout.execs(id)),
    ]);
  }

  async state(id: string): Promise<{ readonly status: RuntimeStatus; readonly pid: number } | undefined> {
    const directory = this.#host.stateDirectory(id);
    const state = readContainerState(directory);
    if (state === undefined) return undefined;
    const status = statusOf(directory, state);
    return { status, pid: status === 'stopped' ? 0 : state.pid };
  }

  async pids(id: string): Promise<number[]> {
    return processesOf(await this.#stateOf(id));
  }

  async cgroups(id: string): Promise<ContainerState['cgroupPaths'] | undefined> {
    const state = readContainerState(this.#host.stateDirectory(id));
    return state !== undefined && isAlive(state) ? state.cgroupPaths : undefined;
  }

  async wait(id: string, signal?: AbortSignal): Promise<Exit> {
    const recorded = await this.exit(id);
    if (recorded !== undefined) return recorded;
    if (!existsSync(this.#host.layout.container(id))) throw notFound(id);
    await this.#ended(id, signal);
    const exit = await this.exit(id);
    if (exit === undefined) throw notFound(id);
    return exit;
  }

  async exit(id: string): Promise<Exit | undefined> {
    const exit = readExit(this.#host.layout.container(id));
    if (exit === undefined || exit.oomKilled || exit.exitCode === 0) return exit;
    const state = readContainerState(this.#host.stateDirectory(id));
    return { ...exit, oomKilled: state !== undefined && hadOomKill(state) };
  }

  async oomSign(id: string): Promise<OomSign> {
    const state = readContainerState(this.#host.stateDirectory(id));
    return oomSign(this.#host.layout.container(id), state);
  }

  async attach(id: string, { input = true }: { readonly input?: boolean } = {}): Promise<Attachment> {
    const meta = readMeta(this.#host.layout.container(id));
    if (meta === undefined) throw notRunning(id);
    const endsStdin = meta.stdin && !meta.terminal && meta.stdinOnce !== false;
    return attachTo({
      directory: meta.sockets,
      backlog: meta.sockets,
      stdin: meta.stdin && input,
      ...(endsStdin && !input ? { left: this.#left } : {}),
      what: `container ${id}`,
      alive: async () => {
        const state = readContainerState(this.#host.stateDirectory(id));
        return state !== undefined && isAlive(state);
      },
    });
  }

  async reopenLog(id: string, log: LogFileIdentity): Promise<void> {
    const meta = readMeta(this.#host.layout.container(id));
    if (meta === undefined) throw notRunning(id);
    const fifo = join(meta.sockets, 'ctl');
    await this.#reopenings.reopen(log, { id, fifo, missing: () => notRunning(id) });
  }

  async resize(id: string, size: Size): Promise<void> {
    const directory = this.#host.layout.container(id);
    await this.#terminals.resize({ directory, what: `container ${id}`, missing: () => notRunning(id) }, size);
  }

  [Symbol.dispose](): void {
    this.#left[Symbol.dispose]();
  }

  /**
   * What `runc delete` does for an ended container, without its 10 ms. False if there is more to it (it runs, it has
   * hooks, it left processes behind), which is then runc's business.
   */
  async #removeEnded(id: string): Promise<boolean> {
    if (this.#host.program !== 'runc') return false;
    const directory = this.#host.stateDirectory(id);
    const state = readContainerState(directory);
    if (state === undefined || state.hasHooks || isAlive(state)) return false;
    if (!(await removeCgroups(state))) return false;
    await removeTree(directory);
    return true;
  }

  async #stateOf(id: string): Promise<ContainerState> {
    const state = readContainerState(this.#host.stateDirectory(id));
    if (state === undefined) throw notFound(id);
    return state;
  }

  async #ended(id: string, signal?: AbortSignal): Promise<void> {
    const directory = this.#host.layout.container(id);
    await this.#host.monitors.ended(directory, () => this.#lost(id), signal);
  }

  /** A container whose monitor was killed has no stdio and no one to see its exit: it ends, as under containerd. */
  async #lost(id: string): Promise<void> {
    const state = readContainerState(this.#host.stateDirectory(id));
    if (state !== undefined && isAlive(state)) {
      using watch = watchProcess(state.pid);
      sendSignal(state.pid, sigkill);
      await thawForKill(state);
      await watch?.ended;
      if (this.#host.adopts) reapChild(state.pid);
    }
    const directory = this.#host.layout.container(id);
    if (existsSync(directory)) await writeExit(directory, 128 + sigkill);
  }
}

function logArgs(log: CreateOptions['log']): string[] {
  if (log.path === undefined) return ['-l', 'none'];
  if (log.path.includes(':')) {
    throw new EngineError('invalidArgument', `Cannot write a log to a path with a colon: ${log.path}`);
  }
  return ['-l', `k8s-file:${log.path}`];
}

function stdioArgs(options: CreateOptions): string[] {
  // With a terminal a client's end of file never closes the terminal, as in Docker.
  const leaveOpen = options.terminal || !options.stdinOnce;
  return [
    ...(options.terminal ? ['-t'] : []),
    ...(options.stdin ? ['-i'] : []),
    ...(leaveOpen ? ['--leave-stdin-open'] : []),
  ];
}
