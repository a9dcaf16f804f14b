import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { randomId } from '../../../src/lib/ids.ts';
import type { OciRuntime } from '../../../src/runtime/index.ts';
import { makeBusyboxRootfs } from '../../support/rootfs.ts';
import { collect, type Output, removeCgroups } from '../../support/runtime-helpers.ts';
import { runtimeSpec, type SpecOptions } from '../../support/runtime-spec.ts';

export interface ContainerOptions extends Omit<SpecOptions, 'rootfs' | 'cgroup'> {
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly noLog?: boolean;
}

export interface Container {
  readonly id: string;
  readonly bundle: string;
  readonly log: string;
}

/** A runtime in directories of its own, and containers of busybox in it. */
export class RuntimeBed {
  readonly #open: (run: string) => OciRuntime;
  #opened: { readonly directory: string; readonly run: string; readonly runtime: OciRuntime } | undefined;

  constructor(open: (run: string) => OciRuntime) {
    this.#open = open;
  }

  async setUp(): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'runtime-'));
    const run = await mkdtemp('/run/gantry-test-');
    this.#opened = { directory, run, runtime: this.#open(run) };
    await makeBusyboxRootfs(join(directory, 'rootfs'));
  }

  async tearDown(): Promise<void> {
    await this.runtime[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
    await rm(this.run, { recursive: true, force: true });
    await removeCgroups('gantry-test');
  }

  /** Holds the root file system and the bundles. */
  get directory(): string {
    return this.#now.directory;
  }

  /** The runtime's own. */
  get run(): string {
    return this.#now.run;
  }

  get runtime(): OciRuntime {
    return this.#now.runtime;
  }

  /** Another runtime on the same directory. */
  open(): OciRuntime {
    return this.#open(this.run);
  }

  async create(t: TestContext, options: ContainerOptions): Promise<Container> {
    const id = randomId();
    const bundle = join(this.directory, id);
    const log = join(bundle, 'log');
    await mkdir(bundle);
    t.after(() => this.runtime.delete(id, { force: true }));
    await this.runtime.create({
      id,
      bundle,
      spec: runtimeSpec({
        ...options,
        rootfs: join(this.directory, 'rootfs'),
        cgroup: `/gantry-test/${id}`,
      }),
      terminal: options.terminal ?? false,
      stdin: options.stdin ?? false,
      stdinOnce: options.stdinOnce ?? true,
      log: options.noLog === true ? {} : { path: log },
    });
    return { id, bundle, log };
  }

  async started(t: TestContext, options: ContainerOptions): Promise<Container> {
    const container = await this.create(t, options);
    await this.runtime.start(container.id);
    return container;
  }

  /** Runs to the end with a client attached from the start. */
  async output(t: TestContext, options: ContainerOptions, input?: string): Promise<Output> {
    const { id } = await this.create(t, { ...options, stdin: input !== undefined || options.stdin === true });
    await using attachment = await this.runtime.attach(id);
    await this.runtime.start(id);
    if (input !== undefined) attachment.input.end(input);
    const [collected, { exitCode }] = await Promise.all([collect(attachment), this.runtime.wait(id)]);
    return { ...collected, exitCode };
  }

  async execOutput(id: string, options: ContainerOptions, input?: string): Promise<Output> {
    const execId = randomId();
    const spec = runtimeSpec({ ...options, rootfs: '', cgroup: '' });
    const { attachment } = await this.runtime.exec(id, {
      execId,
      process: spec.process,
      terminal: options.terminal ?? false,
      stdin: input !== undefined,
      attach: true,
    });
    assert.ok(attachment);
    await using attached = attachment;
    if (input !== undefined) attached.input.end(input);
    const [collected, { exitCode }] = await Promise.all([
      collect(attached),
      this.runtime.waitExec(id, execId),
    ]);
    await this.runtime.deleteExec(id, execId);
    return { ...collected, exitCode };
  }

  get #now() {
    assert.ok(this.#opened, 'set up before the tests');
    return this.#opened;
  }
}
