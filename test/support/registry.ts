import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { contentDigestOf } from '../../src/registry/server/content-digest.ts';
import { temporaryDirectory } from './files.ts';

const gantryPath = join(import.meta.dirname, '../../bin/gantry');

export interface RegistryOptions {
  /** Content of the configuration file. */
  readonly config?: object;
  /** A root that several registries share. */
  readonly root?: string;
  /** Placed before the program. */
  readonly wrapper?: readonly string[];
  readonly scheme?: 'http' | 'https';
  readonly port?: number;
}

/** A `gantry registry serve` of the test's own, ended after it. */
export class TestRegistry {
  readonly directory: string;
  readonly root: string;
  readonly #options: RegistryOptions;
  #process: ChildProcess | undefined;
  /** ADDRESS:PORT; the same after a restart. */
  host = '127.0.0.1:0';

  constructor(directory: string, options: RegistryOptions) {
    this.directory = directory;
    this.root = options.root ?? join(directory, 'root');
    this.#options = options;
    if (options.port !== undefined) this.host = `127.0.0.1:${options.port}`;
  }

  get url(): string {
    return `${this.#options.scheme ?? 'http'}://${this.host}`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async start(): Promise<void> {
    const { config, wrapper = [] } = this.#options;
    const logPath = join(this.directory, `registry-${Date.now()}.log`);
    const log = openSync(logPath, 'w');
    const args = ['registry', 'serve', '--root', this.root, '--host', this.host];
    if (config !== undefined) {
      const path = join(this.directory, 'config.json');
      writeFileSync(path, JSON.stringify(config));
      args.push('--config', path);
    }
    const [program = gantryPath, ...rest] = [...wrapper, gantryPath, ...args];
    const child = spawn(program, rest, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process = child;
    this.#logPath = logPath;
    for (const deadline = Date.now() + 60_000; ; await sleep(20)) {
      const ready = this.log().find((line) => line['msg'] === 'ready');
      if (ready !== undefined) {
        this.host = String(ready['address']);
        return;
      }
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the registry did not start:\n${readFileSync(logPath, 'utf8')}`);
      }
    }
  }

  #logPath = '';

  /** What the registry has logged since its start. */
  log(): readonly Readonly<Record<string, unknown>>[] {
    const lines = readFileSync(this.#logPath, 'utf8').split('\n');
    return lines.flatMap((line) =>
      line.startsWith('{') && line.endsWith('}') ? [JSON.parse(line) as Record<string, unknown>] : [],
    );
  }

  /** Ends the registry with a signal and returns its exit code (null after SIGKILL). */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      return child?.exitCode ?? null;
    }
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return child.exitCode;
  }

  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, this.url), init);
  }

  /** Uploads a blob in one piece. */
  async pushBlob(
    repository: string,
    bytes: Buffer | string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const digest = contentDigestOf(bytes);
    const response = await this.fetch(`/v2/${repository}/blobs/uploads/?digest=${digest}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', ...headers },
      body: typeof bytes === 'string' ? bytes : new Uint8Array(bytes),
    });
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
    return digest;
  }

  /** Pushes a manifest of the given layers (which it uploads too) and returns its digest. */
  async pushImage(
    repository: string,
    tag: string,
    layers: readonly (Buffer | string)[],
    headers: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const digests: string[] = [];
    for (const layer of layers) digests.push(await this.pushBlob(repository, layer, headers));
    await this.pushBlob(repository, '{}', headers);
    const manifest = manifestOf(layers);
    const response = await this.fetch(`/v2/${repository}/manifests/${tag}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json', ...headers },
      body: manifest,
    });
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
    return contentDigestOf(manifest);
  }
}

/** A manifest of an empty config and these layers. */
export function manifestOf(layers: readonly (Buffer | string)[], more: object = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptorOf('{}', 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => descriptorOf(layer, 'application/vnd.oci.image.layer.v1.tar')),
    ...more,
  });
}

export function descriptorOf(content: Buffer | string, mediaType: string) {
  return { mediaType, digest: contentDigestOf(content), size: Buffer.byteLength(content) };
}

export async function startRegistry(
  t: { after(cleanUp: () => unknown): void },
  options: RegistryOptions = {},
): Promise<TestRegistry> {
  const directory = temporaryDirectory(t);
  mkdirSync(directory, { recursive: true });
  const registry = new TestRegistry(directory, options);
  t.after(() => registry.end('SIGKILL'));
  await registry.start();
  return registry;
}
