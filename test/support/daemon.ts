import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dockerVersion } from './docker-version.ts';
import { busyboxTar } from './rootfs.ts';
import { until } from './until.ts';

export const gantryPath = join(import.meta.dirname, '../../bin/gantry');

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** Standard input from a file, for what is too large for `input`. */
  readonly stdin?: number;
}

/** A daemon of the test's own: its root, its socket, and the docker CLI pointed at it. */
export class TestDaemon {
  readonly directory: string;
  readonly root: string;
  readonly host: string;
  /** Empty unless the test writes it. */
  readonly configFile: string;
  readonly #arguments: readonly string[];
  readonly #wrapper: readonly string[];
  #process: ChildProcess | undefined;

  constructor(directory: string, { args = [], wrapper = [], root }: DaemonOptions = {}) {
    this.directory = directory;
    this.root = root ?? join(directory, 'root');
    this.host = `unix://${join(directory, 'gantry.sock')}`;
    this.configFile = join(directory, 'daemon.json');
    writeFileSync(this.configFile, '');
    this.#arguments = args;
    this.#wrapper = wrapper;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async start(extra: readonly string[] = []): Promise<void> {
    const log = openSync(join(this.directory, 'daemon.log'), 'a');
    const own = ['--root', this.root, '--host', this.host, '--config-file', this.configFile];
    const args = ['daemon', ...own, ...this.#arguments, ...extra];
    const [program = gantryPath, ...rest] = [...this.#wrapper, gantryPath, ...args];
    const child = spawn(program, rest, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process = child;
    const deadline = Date.now() + 120_000;
    while (!(await answers(this.host.slice('unix://'.length)))) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
        throw new Error(`the daemon did not start:\n${this.log()}`);
      }
      await sleep(20);
    }
  }

  log(): string {
    return readFileSync(join(this.directory, 'daemon.log'), 'utf8').split('\n').slice(-30).join('\n');
  }

  /** Ends the daemon with a signal and returns its exit code (null after SIGKILL). */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return child.exitCode;
  }

  /** Runs the docker CLI against this daemon. */
  docker(args: readonly string[], options: CommandOptions = {}): CommandResult {
    return runCommand('docker', ['-H', this.host, ...args], {
      ...options,
      env: { DOCKER_CONFIG: join(this.directory, 'docker-config'), DOCKER_BUILDKIT: '0', ...options.env },
    });
  }

  /** The docker CLI's standard output, trimmed; fails the test when it fails. */
  ok(args: readonly string[], options: CommandOptions = {}): string {
    const result = this.docker(args, options);
    assert.equal(
      result.code,
      0,
      `docker ${args.join(' ')}: ${result.stderr || result.stdout}\n${this.log()}`,
    );
    return result.stdout.trim();
  }

  /** Waits until a container has said "ready" so many times: what it traps, it then traps. */
  async ready(container: string, times = 1): Promise<void> {
    const count = () => this.ok(['logs', container]).split('ready').length - 1;
    await until(() => count() >= times, `${container} is not ready`, 60);
  }

  /** Runs our own CLI against this daemon. */
  gantry(args: readonly string[], options: CommandOptions = {}): CommandResult {
    return runCommand(gantryPath, args, { ...options, env: { GANTRY_HOST: this.host, ...options.env } });
  }

  /** Runs the docker CLI, or our own with the same words where docker's is older than `version` and lacks an option. */
  since(version: number, args: readonly string[]): CommandResult {
    return dockerVersion >= version ? this.docker(args) : this.gantry(args);
  }

  /** Stops everything and leaves nothing, whatever state the test left it in. */
  async destroy(): Promise<void> {
    await this.end('SIGKILL');
    await this.start(['--shutdown', 'stop']);
    for (const id of this.ok(['ps', '-aq']).split('\n')) if (id !== '') this.docker(['rm', '-fv', id]);
    const code = await this.end('SIGTERM');
    assert.equal(code, 0, `the daemon ended with ${code}:\n${this.log()}`);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): CommandResult {
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 256 << 20,
    timeout: options.timeoutMs ?? 300_000,
    env: { ...process.env, ...options.env },
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.stdin === undefined ? {} : { stdio: [options.stdin, 'pipe', 'pipe'] as const }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (result.error !== undefined && result.status === null && result.signal === null) throw result.error;
  return { code: result.status ?? 128, stdout: result.stdout, stderr: result.stderr };
}

/** Runs a program that must not fail. */
export function ok(program: string, ...args: string[]): void {
  const { code, stderr } = runCommand(program, args);
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
}

export interface DaemonOptions {
  readonly args?: readonly string[];
  /** Import busybox as `base:1`. Default true. */
  readonly base?: boolean;
  /** A command that runs the daemon, e.g. in another network namespace. */
  readonly wrapper?: readonly string[];
  /** Default: a directory of the daemon's own. */
  readonly root?: string;
}

/** A running daemon that the caller destroys; for the tests of a whole file. */
export async function openDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  const daemon = new TestDaemon(mkdtempSync(join(tmpdir(), 'gantry-test-')), options);
  try {
    await daemon.start();
    if (options.base !== false) daemon.ok(['import', '-', 'base:1'], { input: busyboxTar() });
    return daemon;
  } catch (error) {
    await daemon.destroy();
    throw error;
  }
}

/** A running daemon for one test, taken away at its end. */
export async function startDaemon(
  t: { after(cleanUp: () => Promise<void>): void },
  options: DaemonOptions = {},
): Promise<TestDaemon> {
  const daemon = await openDaemon(options);
  t.after(() => daemon.destroy());
  return daemon;
}

/** A connection alone proves nothing: a child of a daemon just killed may hold its socket for a moment. */
async function answers(socketPath: string): Promise<boolean> {
  const ping = request({ socketPath, path: '/_ping', agent: false });
  ping.end();
  try {
    const [response] = (await once(ping, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode === 200;
  } catch {
    return false; // Not listening yet.
  }
}
