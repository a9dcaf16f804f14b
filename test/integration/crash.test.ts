import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineConfig } from '../../src/config/index.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { readDisk, readKernel } from '../support/engine-state.ts';

/** Kills of the daemon; GANTRY_TEST_SEED repeats a run's choices (not its timing). */
const kills = 24;
const poolSize = 8;
const startLimitMs = 60_000;
/** A slow machine does fewer rounds. */
const budgetMs = 45_000;

test('a daemon killed at any moment starts again with all it acknowledged and nothing half made', async (t) => {
  const seed = Number(process.env['GANTRY_TEST_SEED'] ?? Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const random = randomFrom(seed);
  const daemon = await startDaemon(t);
  const world = new World(daemon, random);
  const starts: number[] = [];
  const deadline = performance.now() + budgetMs;
  for (let round = 1; round <= kills && performance.now() < deadline; round += 1) {
    const working = Promise.all([world.work(), world.work(), world.work()]);
    working.catch(() => undefined); // Awaited below.
    await sleep(random() * 700);
    await daemon.end('SIGKILL');
    await working;
    if (round % 6 === 0) {
      // Killed again while it recovers.
      const starting = daemon.start();
      await sleep(300 + random() * 500);
      await daemon.end('SIGKILL');
      await starting.catch(() => undefined);
    }
    const startedAt = performance.now();
    await daemon.start();
    starts.push(performance.now() - startedAt);
    await world.check(`round ${round} (seed ${seed})`);
  }
  // One start may be slow on a busy machine; half of them are not.
  const medianMs = starts.sort((a, b) => a - b)[Math.floor(starts.length / 2)] ?? 0;
  t.diagnostic(`${starts.length} rounds, half of the starts within ${Math.round(medianMs)} ms`);
  assert.ok(medianMs < startLimitMs, `half of the starts took over ${medianMs} ms`);
  await world.checkUsable();
  t.diagnostic(`acknowledged: ${world.summary()}`);
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Summary {
  readonly Id: string;
  readonly State: string;
}

/** A user of a daemon, who remembers what the daemon acknowledged. */
class World {
  readonly #daemon: TestDaemon;
  readonly #random: () => number;
  readonly #archives: Buffer[];
  readonly #context: Buffer;
  /** Acknowledged and not being removed. */
  readonly #containers = new Set<string>();
  /** Their start was acknowledged, and no end asked for. */
  readonly #running = new Set<string>();
  readonly #removed = new Set<string>();
  readonly #images = new Set<string>();
  readonly #volumes = new Set<string>();
  readonly #networks = new Set<string>();
  readonly #counts = new Map<string, number>();
  #count = 0;
  /** Ends of containers asked for so far. */
  #ends = 0;

  constructor(daemon: TestDaemon, random: () => number) {
    this.#daemon = daemon;
    this.#random = random;
    this.#context = contextTar(join(daemon.directory, 'context'));
    this.#archives = [0, 1, 2, 3].map((index) => {
      const id = daemon.ok(['create', 'base:1', 'true']);
      daemon.ok(['cp', join(daemon.directory, 'context'), `${id}:/loaded-${index}`]);
      daemon.ok(['commit', id, `loaded:${index}`]);
      daemon.ok(['rm', id]);
      const file = join(daemon.directory, `loaded-${index}.tar`);
      daemon.ok(['save', '-o', file, `loaded:${index}`]);
      daemon.ok(['rmi', `loaded:${index}`]);
      return readFileSync(file);
    });
  }

  /** One thing after the other until the daemon is gone. */
  async work(): Promise<void> {
    try {
      for (;;) await this.#step();
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
    }
  }

  async #step(): Promise<void> {
    const dice = this.#random();
    if (dice < 0.3) await this.#create();
    else if (dice < 0.5) await this.#start();
    else if (dice < 0.58) await this.#exec();
    else if (dice < 0.66) await this.#stop();
    else if (dice < 0.8) await this.#remove();
    else if (dice < 0.9) await this.#build();
    else if (dice < 0.96) await this.#load();
    else if (dice < 0.98) await this.#removeImage();
    else await this.#network();
  }

  async #create(): Promise<void> {
    const name = `c${(this.#count += 1)}`;
    const volume = `v${this.#count}`;
    const config = {
      Image: 'base:1',
      Cmd: ['sleep', '1000'],
      Volumes: this.#random() < 0.4 ? { '/anonymous': {} } : {},
      HostConfig: { Binds: this.#random() < 0.3 ? [`${volume}:/named`] : [] },
    };
    const { status, body } = await this.#call('POST', `/containers/create?name=${name}`, config);
    assert.equal(status, 201, body);
    this.#containers.add((JSON.parse(body) as { Id: string }).Id);
    if (config.HostConfig.Binds.length > 0) this.#volumes.add(volume);
  }

  async #start(): Promise<void> {
    const id = this.#pick(this.#containers);
    if (id === undefined) return;
    const ends = this.#ends;
    const { status, body } = await this.#call('POST', `/containers/${id}/start`);
    assert.ok([204, 304, 404, 409].includes(status), `start: ${status} ${body}`);
    // Another worker may have asked for its end meanwhile.
    if (status === 204 && this.#ends === ends) this.#running.add(id);
  }

  async #exec(): Promise<void> {
    const id = this.#pick(this.#running);
    if (id === undefined) return;
    const made = await this.#call('POST', `/containers/${id}/exec`, { Cmd: ['sleep', '0.2'] });
    if (made.status !== 201) return;
    const exec = (JSON.parse(made.body) as { Id: string }).Id;
    await this.#call('POST', `/exec/${exec}/start`, { Detach: true });
  }

  async #stop(): Promise<void> {
    const id = this.#pick(this.#running);
    if (id === undefined) return;
    this.#ends += 1;
    this.#running.delete(id);
    const { status, body } = await this.#call('POST', `/containers/${id}/stop?t=0`);
    assert.ok([204, 304, 404, 409].includes(status), `stop: ${status} ${body}`);
  }

  async #remove(): Promise<void> {
    const id = this.#pick(this.#containers);
    if (id === undefined) return;
    this.#ends += 1;
    this.#containers.delete(id);
    this.#running.delete(id);
    const { status } = await this.#call('DELETE', `/containers/${id}?force=1&v=1`);
    if (status === 204) this.#removed.add(id);
  }

  async #build(): Promise<void> {
    const tag = `built:${(this.#count += 1)}`;
    const buildArgs = encodeURIComponent(JSON.stringify({ N: tag }));
    const { status, body } = await this.#call(
      'POST',
      `/build?t=${tag}&buildargs=${buildArgs}`,
      this.#context,
    );
    assert.equal(status, 200, body);
    assert.match(body, /Successfully tagged/, body);
    this.#images.add(tag);
  }

  async #load(): Promise<void> {
    const index = Math.floor(this.#random() * this.#archives.length);
    const { status, body } = await this.#call('POST', '/images/load', this.#archives[index]);
    assert.equal(status, 200, body);
    this.#images.add(`loaded:${index}`);
  }

  async #removeImage(): Promise<void> {
    const name = this.#pick(this.#images);
    if (name === undefined) return;
    this.#images.delete(name);
    await this.#call('DELETE', `/images/${name}`);
  }

  async #network(): Promise<void> {
    const doomed = this.#random() < 0.3 ? this.#pick(this.#networks) : undefined;
    if (doomed !== undefined) {
      this.#networks.delete(doomed);
      await this.#call('DELETE', `/networks/${doomed}`);
      return;
    }
    const { status, body } = await this.#call('POST', '/networks/create', { Name: `n${(this.#count += 1)}` });
    assert.equal(status, 201, body);
    this.#networks.add((JSON.parse(body) as { Id: string }).Id);
  }

  /** Rows, kernel, disk and what clients see agree, at the latest when what was just dying is dead. */
  async check(when: string): Promise<void> {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      try {
        await this.#checkNow(when);
        return;
      } catch (error) {
        if (!(error instanceof assert.AssertionError)) throw error;
        await sleep(100);
      }
    }
    await this.#checkNow(when);
  }

  async #checkNow(when: string): Promise<void> {
    const listed = await this.#json<Summary[]>('/containers/json?all=1');
    const ids = new Set(listed.map(({ Id }) => Id));
    const running = new Set(listed.filter(({ State }) => State === 'running').map(({ Id }) => Id));
    const states = new Set(listed.map(({ State }) => State));
    for (const state of states) assert.match(state, /^(created|running|exited)$/, when);
    assert.deepEqual(lost(this.#containers, ids), [], `${when}: containers lost`);
    assert.deepEqual(
      [...this.#removed].filter((id) => ids.has(id)),
      [],
      `${when}: removed ones are back`,
    );
    assert.deepEqual(lost(this.#running, running), [], `${when}: not running`);
    const config = engineConfig({ root: this.#daemon.root });
    const kernel = readKernel(config);
    const sorted = [...running].sort();
    assert.deepEqual([...kernel.monitors].sort(), sorted, `${when}: monitors`);
    assert.deepEqual([...kernel.cgroups].sort(), sorted, `${when}: cgroups`);
    assert.equal(kernel.mounts, running.size, `${when}: mounts`);
    const spare = kernel.namespaces.length - running.size;
    assert.ok(spare >= 0 && spare <= poolSize, `${when}: ${spare} network namespaces too many`);
    const networks = await this.#json<{ Id: string; Driver: string }[]>('/networks');
    assert.deepEqual(
      lost(this.#networks, new Set(networks.map(({ Id }) => Id))),
      [],
      `${when}: networks lost`,
    );
    const bridges = networks.filter(({ Driver }) => Driver === 'bridge');
    assert.equal(kernel.bridges.length, bridges.length, `${when}: bridges`);
    const disk = readDisk(config);
    assert.deepEqual([...disk.containers].sort(), [...ids].sort(), `${when}: directories`);
    assert.deepEqual([...disk.active].sort(), [...ids].sort(), `${when}: snapshots`);
    assert.deepEqual(
      disk.volumeUsers.filter((id) => !ids.has(id)),
      [],
      `${when}: users of volumes`,
    );
    const { strays, problems, temporary, leases } = disk;
    assert.deepEqual({ strays, problems, temporary, leases }, nothing, when);
    for (const name of this.#volumes) {
      const path = join(this.#daemon.root, 'volumes', name, '_data');
      assert.ok(existsSync(path), `${when}: volume ${name} is lost`);
    }
    for (const name of this.#images) await this.#json(`/images/${name}/json`);
    // What was done but not acknowledged counts from now on.
    this.#containers.clear();
    for (const id of ids) this.#containers.add(id);
    this.#running.clear();
    for (const id of running) this.#running.add(id);
  }

  /** Every image runs, every container starts and goes, and then nothing is left. */
  async checkUsable(): Promise<void> {
    const daemon = this.#daemon;
    for (const name of this.#images) daemon.ok(['run', '--rm', name, 'true']);
    for (const id of this.#containers) {
      daemon.ok(['start', id]);
      daemon.ok(['rm', '-fv', id]);
    }
    assert.equal(daemon.ok(['volume', 'ls', '-q', '-f', 'label=com.docker.volume.anonymous']), '');
    const names = daemon.ok(['images', '-q']).split('\n');
    daemon.ok(['rmi', '-f', ...new Set(names)]);
    daemon.ok(['image', 'prune', '-af']);
    const { garbage, strays } = readDisk(engineConfig({ root: daemon.root }));
    assert.deepEqual({ garbage, strays }, { garbage: [], strays: [] });
  }

  /** How often each call was answered. */
  summary(): string {
    return [...this.#counts]
      .filter(([what]) => !what.startsWith('GET') && !what.includes(':'))
      .map(([what, count]) => `${what} ${count}`)
      .join(', ');
  }

  #pick(from: ReadonlySet<string>): string | undefined {
    return [...from][Math.floor(this.#random() * from.size)];
  }

  async #json<T>(path: string): Promise<T> {
    const { status, body } = await this.#call('GET', path);
    assert.equal(status, 200, `${path}: ${body}`);
    return JSON.parse(body) as T;
  }

  /** Rejects with `Gone` if the daemon goes before it has answered. */
  #call(method: string, path: string, body?: object): Promise<Answer> {
    const socketPath = this.#daemon.host.slice('unix://'.length);
    return new Promise((resolve, reject) => {
      const answered = (answer: Answer) => {
        const what = `${method} ${path.replaceAll(/[0-9a-f]{64}/g, 'ID').split('?')[0]}`;
        this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
        resolve(answer);
      };
      const gone = () => {
        reject(new Gone());
      };
      const isJson = body !== undefined && !Buffer.isBuffer(body);
      const type = isJson ? 'application/json' : 'application/x-tar';
      const headers = body === undefined ? {} : { 'Content-Type': type };
      const call = request({ socketPath, method, path: `/v1.50${path}`, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', gone);
        response.on('close', () => {
          if (response.complete) answered({ status: response.statusCode ?? 0, body: text });
          else gone();
        });
      });
      call.on('error', gone);
      call.end(isJson ? JSON.stringify(body) : body);
    });
  }
}

function lost(wanted: Iterable<string>, there: ReadonlySet<string>): string[] {
  return [...wanted].filter((id) => !there.has(id));
}

/** The daemon was killed before it answered. */
class Gone extends Error {}

const nothing = { strays: [], problems: [], temporary: [], leases: 0 };

function contextTar(directory: string): Buffer {
  mkdirSync(directory);
  const lines = [
    'FROM base:1',
    'ARG N',
    'RUN echo "$N" > /made',
    'COPY file /copied',
    'CMD ["cat", "/made"]',
  ];
  writeFileSync(join(directory, 'Dockerfile'), `${lines.join('\n')}\n`);
  writeFileSync(join(directory, 'file'), 'x'.repeat(100_000));
  return execFileSync('tar', ['-c', '-C', directory, '.']);
}

/** mulberry32: the same numbers in [0, 1) for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
