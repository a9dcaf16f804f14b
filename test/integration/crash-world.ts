import assert from 'node:assert/strict';
import type { ContainerInspect } from '../../src/api/index.ts';
import { type Answer, callEngine, Gone, getJson } from '../support/engine-call.ts';
import { type Known, Told, type Tracked } from './crash-told.ts';

export interface WorldOptions {
  readonly host: string;
  readonly random: () => number;
  /** Names of networks that stay. */
  readonly networks: readonly string[];
  readonly archives: readonly Buffer[];
  readonly context: Buffer;
  /** Kills a process of the machine; without it no container dies of itself. */
  readonly kill?: (pid: number) => void;
  /** Called when something that changes the engine was answered. */
  readonly onAnswer?: () => void;
}

const mostContainers = 18;

/** A user of a daemon, who remembers what the daemon acknowledged. */
export class World extends Told {
  readonly #options: WorldOptions;
  readonly #random: () => number;
  readonly #counts = new Map<string, number>();
  /** Names of images that are being loaded. */
  readonly #loads: string[] = [];
  #count = 0;

  constructor(options: WorldOptions) {
    super();
    this.#options = options;
    this.#random = options.random;
    for (const name of options.networks) this.networks.add(name);
  }

  /** One thing after the other until the daemon is gone. */
  async work(): Promise<void> {
    try {
      for (;;) await this.#step();
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
    }
  }

  /** Running containers whose first process the caller may kill while the daemon is away. */
  someRunning(): Tracked[] {
    const all = [...this.containers.values()];
    return all.filter(({ known, pid }) => known.state === 'running' && pid !== undefined).slice(0, 2);
  }

  /** How often each call was answered. */
  summary(): string {
    return [...this.#counts]
      .filter(([what]) => !what.startsWith('GET') && !what.includes(':'))
      .map(([what, count]) => `${what} ${count}`)
      .join(', ');
  }

  async #step(): Promise<void> {
    const steps: readonly (readonly [number, () => Promise<void>])[] = [
      [18, () => this.#create()],
      [18, () => this.#start()],
      [6, () => this.#exec()],
      [8, () => this.#stop()],
      [4, () => this.#restart()],
      [8, () => this.#pause()],
      [5, () => this.#rename()],
      [7, () => this.#update()],
      [9, () => this.#network()],
      [this.#options.kill === undefined ? 0 : 3, () => this.#die()],
      [10, () => this.#remove()],
      [4, () => this.#build()],
      [2, () => this.#load()],
      [2, () => this.#commit()],
      [2, () => this.#tag()],
      [1, () => this.#removeImage()],
      [4, () => this.#volume()],
      [3, () => this.#makeNetwork()],
    ];
    let dice = this.#random() * steps.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, step] of steps) {
      dice -= weight;
      if (dice < 0) return step();
    }
  }

  async #create(): Promise<void> {
    if (this.containers.size >= mostContainers) return;
    const name = `c${(this.#count += 1)}`;
    const policy = this.#oneOf(['', '', '', 'always', 'unless-stopped', 'on-failure']);
    const autoRemove = policy === '' && this.#random() < 0.4;
    const network = this.#oneOf(['bridge', ...this.#options.networks]);
    const memory = 64 << 20;
    const volume = this.#random() < 0.3 ? `v${this.#count}` : undefined;
    const config = {
      Image: 'base:1',
      Cmd: ['sleep', '1000'],
      Volumes: this.#random() < 0.4 ? { '/anonymous': {} } : {},
      ...(this.#random() < 0.2 ? { Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9 } } : {}),
      HostConfig: {
        // Filled with what the image has there.
        Binds: volume === undefined ? [] : [`${volume}:/etc`],
        Memory: memory,
        MemorySwap: -1,
        NetworkMode: network,
        AutoRemove: autoRemove,
        RestartPolicy: { Name: policy },
        PortBindings: this.#random() < 0.3 ? { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } : {},
      },
    };
    this.askedNames.add(name);
    const { status, body } = await this.#call('POST', `/containers/create?name=${name}`, config);
    assert.equal(status, 201, body);
    this.askedNames.delete(name);
    const { Id: id } = JSON.parse(body) as { Id: string };
    const exitCode = undefined;
    const known: Known = {
      name,
      state: 'created',
      exitCode,
      memory,
      networks: [network],
      policy,
      autoRemove,
    };
    this.containers.set(id, { id, known, asked: undefined, busy: false });
    if (volume !== undefined) this.volumes.add(volume);
  }

  async #start(): Promise<void> {
    await this.#with(['created', 'stopped'], async (one) => {
      one.asked = { states: ['running'] };
      await this.#answered(204, 'POST', `/containers/${one.id}/start`);
      one.known = { ...one.known, state: 'running', exitCode: undefined };
    });
  }

  async #exec(): Promise<void> {
    await this.#with(['running'], async ({ id }) => {
      const body = await this.#answered(201, 'POST', `/containers/${id}/exec`, { Cmd: ['sleep', '0.2'] });
      const { Id: exec } = JSON.parse(body) as { Id: string };
      await this.#answered(200, 'POST', `/exec/${exec}/start`, { Detach: true });
    });
  }

  async #stop(): Promise<void> {
    await this.#with(['running', 'paused'], async (one) => {
      one.asked = { states: ['running', 'stopped'] };
      await this.#answered(204, 'POST', `/containers/${one.id}/stop?t=0`);
      await this.#ended(one);
    });
  }

  async #restart(): Promise<void> {
    await this.#with(['running', 'stopped'], async (one) => {
      one.asked = { states: ['running', 'stopped'] };
      await this.#answered(204, 'POST', `/containers/${one.id}/restart?t=0`);
      one.known = { ...one.known, state: 'running', exitCode: undefined };
    });
  }

  async #pause(): Promise<void> {
    await this.#with(['running', 'paused'], async (one) => {
      const state = one.known.state === 'running' ? 'paused' : 'running';
      one.asked = { states: [state] };
      await this.#answered(204, 'POST', `/containers/${one.id}/${state === 'paused' ? 'pause' : 'unpause'}`);
      one.known = { ...one.known, state };
    });
  }

  async #rename(): Promise<void> {
    await this.#with(['created', 'running', 'paused', 'stopped'], async (one) => {
      const name = `c${(this.#count += 1)}`;
      one.asked = { name };
      await this.#answered(204, 'POST', `/containers/${one.id}/rename?name=${name}`);
      one.known = { ...one.known, name };
    });
  }

  async #update(): Promise<void> {
    await this.#with(['created', 'running', 'stopped'], async (one) => {
      const memory = (32 + Math.floor(this.#random() * 96)) << 20;
      one.asked = { memory };
      await this.#answered(200, 'POST', `/containers/${one.id}/update`, { Memory: memory, MemorySwap: -1 });
      one.known = { ...one.known, memory };
    });
  }

  /** Onto one more of the networks that stay, or off one. */
  async #network(): Promise<void> {
    await this.#with(['created', 'running', 'stopped'], async (one) => {
      const name = this.#oneOf(this.#options.networks);
      const joined = one.known.networks.includes(name);
      if (joined && one.known.networks.length === 1) return;
      const others = one.known.networks.filter((other) => other !== name);
      const networks = joined ? others : [...others, name].sort();
      one.asked = { networks };
      const verb = joined ? 'disconnect' : 'connect';
      await this.#answered(200, 'POST', `/networks/${name}/${verb}`, { Container: one.id });
      one.known = { ...one.known, networks };
    });
  }

  /** Its process dies of itself; what its policy makes of that is waited for. */
  async #die(): Promise<void> {
    await this.#with(['running'], async (one) => {
      const before = await this.#inspect(one);
      one.asked = { states: ['running', 'stopped'] };
      this.#options.kill?.(before.State.Pid);
      for (let attempt = 0; attempt < 200; attempt += 1) {
        const { status, body } = await this.#call('GET', `/containers/${one.id}/json`);
        if (status === 404) break;
        const now = JSON.parse(body) as { State: { Status: string }; RestartCount: number };
        if (now.State.Status === 'exited') break;
        if (now.State.Status === 'running' && now.RestartCount > before.RestartCount) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await this.#ended(one);
    });
  }

  async #remove(): Promise<void> {
    await this.#with(['created', 'running', 'paused', 'stopped'], async (one) => {
      one.asked = { states: ['running', 'paused', 'stopped', 'created', 'gone'] };
      await this.#answered(204, 'DELETE', `/containers/${one.id}?force=1&v=1`);
      this.containers.delete(one.id);
      this.removed.add(one.id);
    });
  }

  async #ended(one: Tracked): Promise<void> {
    if (one.known.autoRemove) {
      this.containers.delete(one.id);
      return;
    }
    const { State } = await this.#inspect(one);
    one.known = { ...one.known, state: 'stopped', exitCode: State.ExitCode };
  }

  async #build(): Promise<void> {
    const tag = `built:${(this.#count += 1)}`;
    const buildArgs = encodeURIComponent(JSON.stringify({ N: tag }));
    const path = `/build?t=${tag}&buildargs=${buildArgs}`;
    assert.match(await this.#answered(200, 'POST', path, this.#options.context), /Successfully tagged/);
    this.images.set(tag, ['grep', '-qx', tag, '/made']);
  }

  async #load(): Promise<void> {
    const index = Math.floor(this.#random() * this.#options.archives.length);
    const name = `loaded:${index}`;
    this.removedImages.delete(name);
    // While it is under way nobody knows what another client's removal leaves.
    this.#loads.push(name);
    try {
      await this.#answered(200, 'POST', '/images/load', this.#options.archives[index]);
    } finally {
      this.#loads.splice(this.#loads.indexOf(name), 1);
    }
    this.images.set(name, ['test', '-s', `/loaded-${index}/file`]);
  }

  async #removeImage(): Promise<void> {
    const name = this.#oneOf([...this.images.keys()]);
    if (name === undefined) return;
    this.images.delete(name);
    const { status } = await this.#call('DELETE', `/images/${name}`);
    if (status === 200 && !this.#loads.includes(name)) this.removedImages.add(name);
  }

  async #commit(): Promise<void> {
    await this.#with(['running'], async ({ id }) => {
      const tag = `committed:${(this.#count += 1)}`;
      const Cmd = ['sh', '-c', `echo ${tag} > /committed`];
      const body = await this.#answered(201, 'POST', `/containers/${id}/exec`, { Cmd, AttachStdout: true });
      const { Id: exec } = JSON.parse(body) as { Id: string };
      await this.#answered(200, 'POST', `/exec/${exec}/start`, { Detach: false });
      const [repo, version] = tag.split(':');
      await this.#answered(201, 'POST', `/commit?container=${id}&repo=${repo}&tag=${version}`, {});
      this.images.set(tag, ['grep', '-qx', tag, '/committed']);
    });
  }

  async #tag(): Promise<void> {
    const [name, command] = this.#oneOf([...this.images]) ?? [];
    if (name === undefined || command === undefined) return;
    const version = (this.#count += 1);
    const { status } = await this.#call('POST', `/images/${name}/tag?repo=tagged&tag=${version}`);
    // Another client may have removed it meanwhile.
    if (status === 201) this.images.set(`tagged:${version}`, command);
  }

  async #volume(): Promise<void> {
    const doomed =
      this.#random() < 0.4 ? [...this.volumes].find((name) => name.startsWith('own')) : undefined;
    if (doomed !== undefined) {
      this.volumes.delete(doomed);
      await this.#answered(204, 'DELETE', `/volumes/${doomed}`);
      this.removedVolumes.add(doomed);
      return;
    }
    const name = `own${(this.#count += 1)}`;
    await this.#answered(201, 'POST', '/volumes/create', { Name: name });
    this.volumes.add(name);
  }

  async #makeNetwork(): Promise<void> {
    const made = [...this.networks].filter((name) => !this.#options.networks.includes(name));
    const doomed = made.length > 3 || this.#random() < 0.4 ? this.#oneOf(made) : undefined;
    if (doomed !== undefined) {
      this.networks.delete(doomed);
      await this.#answered(204, 'DELETE', `/networks/${doomed}`);
      this.removedNetworks.add(doomed);
      return;
    }
    const name = `n${(this.#count += 1)}`;
    await this.#answered(201, 'POST', '/networks/create', { Name: name });
    this.networks.add(name);
  }

  #inspect({ id }: Tracked): Promise<ContainerInspect> {
    return getJson<ContainerInspect>(this.#options.host, `/containers/${id}/json`);
  }

  /** Works on a container in one of these states, alone. What was asked is forgotten once it is answered. */
  async #with(states: readonly Known['state'][], work: (one: Tracked) => Promise<void>): Promise<void> {
    const free = [...this.containers.values()].filter(
      ({ known, busy }) => !busy && states.includes(known.state),
    );
    const one = this.#oneOf(free);
    if (one === undefined) return;
    one.busy = true;
    delete one.pid;
    await work(one);
    one.asked = undefined;
    one.busy = false;
  }

  #oneOf<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }

  async #answered(status: number, method: string, path: string, body?: object): Promise<string> {
    const answer = await this.#call(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.body}`);
    return answer.body;
  }

  async #call(method: string, path: string, body?: object): Promise<Answer> {
    const call = { method, path, ...(body === undefined ? {} : { body }) };
    const answer = await callEngine(this.#options.host, call);
    const what = `${method} ${path.replaceAll(/[0-9a-f]{64}/g, 'ID').split('?')[0]}`;
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    if (method !== 'GET' && answer.status < 300) this.#options.onAnswer?.();
    return answer;
  }
}
