import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export interface DebianRegistryOptions {
  /** Lines of an htpasswd file with bcrypt hashes. */
  readonly htpasswd?: string;
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** More of the configuration, YAML. */
  readonly more?: string;
}

/** Debian's docker-registry on a port of its own, its storage in a directory of its own. */
export class DebianRegistry {
  readonly directory: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly #options: DebianRegistryOptions;
  #process: ChildProcess | undefined;

  constructor(port: number, options: DebianRegistryOptions) {
    this.directory = mkdtempSync(join(tmpdir(), 'gantry-registry-'));
    this.host = `127.0.0.1:${port}`;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { htpasswd, tls, more = '' } = this.#options;
    const storage = join(this.directory, 'storage');
    mkdirSync(storage, { recursive: true });
    const lines = [
      'version: 0.1',
      'log: {level: warn, accesslog: {disabled: true}}',
      `storage: {filesystem: {rootdirectory: ${storage}}, delete: {enabled: true}}`,
      `http: {addr: "${this.host}", secret: test${
        tls === undefined ? '' : `, tls: {certificate: ${tls.certificate}, key: ${tls.key}}`
      }}`,
    ];
    if (htpasswd !== undefined) {
      const path = join(this.directory, 'htpasswd');
      writeFileSync(path, htpasswd);
      lines.push(`auth: {htpasswd: {realm: test, path: ${path}}}`);
    }
    const config = join(this.directory, 'config.yml');
    writeFileSync(config, `${lines.join('\n')}\n${more}\n`);
    const log = openSync(join(this.directory, 'log'), 'a');
    const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process = child;
    const deadline = Date.now() + 60_000;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the registry did not start:\n${readFileSync(join(this.directory, 'log'), 'utf8')}`);
      }
      await sleep(30);
    }
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async destroy(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const scheme = this.#options.tls === undefined ? 'http' : 'https';
    try {
      await fetch(`${scheme}://${this.host}/v2/`);
      return true;
    } catch (error) {
      // A certificate nobody knows is an answer, too.
      const { cause } = error as { readonly cause?: { readonly code?: string } };
      return cause?.code !== 'ECONNREFUSED';
    }
  }
}

/** A registry for one test, or with a file's `after` for all of them. */
export async function startDebianRegistry(
  t: { after(cleanUp: () => Promise<void>): void },
  options: DebianRegistryOptions = {},
): Promise<DebianRegistry> {
  const registry = new DebianRegistry(await freePort(), options);
  t.after(() => registry.destroy());
  await registry.start();
  return registry;
}
