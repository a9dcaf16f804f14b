import { join } from 'node:path';
import { EngineError } from '../../errors/index.ts';
import { OrphanSweep } from '../../lib/orphans.ts';
import { findProgram } from '../../lib/process.ts';
import { run } from '../../lib/run.ts';
import { runtimeMessage } from './errors.ts';
import { Monitors } from './exits.ts';
import { type Layout, layoutOf, monitorFiles } from './layout.ts';

export interface HostOptions {
  readonly run: string;
  readonly program: 'runc' | 'crun';
  readonly path: string;
  /** See `RuncRuntimeOptions`. */
  readonly adopts: boolean;
}

/** What containers and execs share: the directories, the runtime program and the monitors being waited for. */
export class RuntimeHost implements Disposable {
  readonly program: 'runc' | 'crun';
  readonly path: string;
  readonly run: string;
  readonly adopts: boolean;
  readonly layout: Layout;
  /** Only when the process adopts orphans is there anything to reap. */
  readonly orphans = new OrphanSweep();
  readonly monitors = new Monitors();
  #programFile: string | undefined;

  constructor(options: HostOptions) {
    this.program = options.program;
    this.path = options.path;
    this.run = options.run;
    this.adopts = options.adopts;
    this.layout = layoutOf(options.run, options.program);
  }

  /** The directory of the runtime's own state for a container. */
  stateDirectory(id: string): string {
    return join(this.layout.root, id);
  }

  /** Runs a command of the runtime on one container. */
  async command(id: string, args: readonly string[], input?: string): Promise<void> {
    const all = ['--root', this.layout.root, '--log-format', 'json', ...args];
    const result = await run(this.program, all, {
      env: { PATH: this.path },
      accept: anyExitCode,
      ...(input === undefined ? {} : { input }),
    });
    if (result.exitCode === 0) return;
    const message = runtimeMessage(result.stderr);
    if (message.includes('does not exist')) throw notFound(id);
    if (/container (is )?not running|cannot pause a stopped/.test(message)) throw notRunning(id);
    const action = `Cannot ${args[0] ?? 'reach'} container ${id}`;
    throw new EngineError('internal', `${action}: ${message || `exit code ${result.exitCode}`}`);
  }

  /** The path of the runtime program, which conmon does not search for. Throws `unavailable`. */
  programPath(): string {
    this.#programFile ??= findProgram(this.program, this.path);
    return this.#programFile;
  }

  /** conmon's arguments for any monitor. */
  monitorArgs(target: { readonly id: string; readonly uuid: string; readonly directory: string }): string[] {
    const { id, uuid, directory } = target;
    return [
      ...['--api-version', '1', '-c', id, '-u', uuid, '-n', id, '-r', this.programPath()],
      ...['-p', join(directory, monitorFiles.pid), '-P', join(directory, monitorFiles.monitorPid)],
      // Without a socket directory of its own conmon puts its sockets into the bundle, whatever that path's length.
      ...['--persist-dir', directory, '--full-attach', '--no-sync-log'],
      ...[`--runtime-arg=--root=${this.layout.root}`, '--runtime-arg=--log-format=json'],
    ];
  }

  [Symbol.dispose](): void {
    this.monitors[Symbol.dispose]();
    this.orphans[Symbol.dispose]();
  }
}

export function notRunning(id: string): EngineError {
  return new EngineError('conflict', `container ${id} is not running`);
}

export function notFound(id: string): EngineError {
  return new EngineError('notFound', `No such container: ${id}`);
}

const anyExitCode = Array.from({ length: 256 }, (_, code) => code);
