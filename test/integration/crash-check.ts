import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ContainerInspect, ContainerSummary } from '../../src/api/index.ts';
import { type EngineConfig, engineConfig } from '../../src/config/index.ts';
import { callEngine, getJson } from '../support/engine-call.ts';
import { readDisk, readKernel } from '../support/engine-state.ts';
import { addressesOf, publishedPorts } from '../support/network-kernel.ts';
import { namesIn, statFields } from '../support/proc.ts';
import type { Known, Told, Tracked } from './crash-told.ts';

const poolSize = 8;
const nothing = { strays: [], problems: [], temporary: [], leases: 0 };

export interface Checked {
  readonly told: Told;
  readonly host: string;
  readonly root: string;
  /** What ended the engine. After a power cut no container runs on. */
  readonly after: 'kill' | 'power cut';
  /** Begins the message of what fails. */
  readonly when: string;
}

/** Of the flags in `/proc/PID/stat`. [linux include/linux/sched.h PF_EXITING] */
const processExiting = 0x4;

/** Compares what a client was told, `ps`, the rows, the kernel and the disk. Returns the containers as they are. */
export async function checkNow({ told, host, root, after, when }: Checked): Promise<Tracked[]> {
  const config = engineConfig({ root });
  const get = <T>(path: string) => getJson<T>(host, path);
  const listed = await get<ContainerSummary[]>('/containers/json?all=1');
  const inspected: ContainerInspect[] = [];
  for (const { Id } of listed) inspected.push(await get(`/containers/${Id}/json`));
  const byId = new Map(inspected.map((one) => [one.Id, one]));
  checkAcknowledged(told, byId, after, when);
  checkRows(config, listed, when);
  checkKernel(config, inspected, when);
  await checkNetworks(told, get, config, when);
  checkDisk(config, new Set(byId.keys()), when);
  await checkVolumes(told, get, config, when);
  await checkImages(told, host, when);
  return inspected.map(trackedOf);
}

type Get = <T>(path: string) => Promise<T>;

function checkAcknowledged(
  told: Told,
  now: ReadonlyMap<string, ContainerInspect>,
  after: Checked['after'],
  when: string,
): void {
  for (const id of told.removed) assert.ok(!now.has(id), `${when}: ${id} is back`);
  for (const { id, known, asked } of told.containers.values()) {
    const states = new Set(
      [known.state, ...(asked?.states ?? [])].flatMap((s) => afterStart(s, known, after)),
    );
    const seen = now.get(id);
    const what = `${when}: ${known.name} ${id.slice(0, 12)} (${JSON.stringify({ known, asked })})`;
    if (seen === undefined) {
      assert.ok(states.has('gone'), `${what} is lost`);
      continue;
    }
    const is = knownOf(seen);
    assert.ok(states.has(is.state), `${what} is ${seen.State.Status}`);
    if (asked === undefined && known.exitCode !== undefined && is.exitCode !== undefined) {
      assert.equal(is.exitCode, known.exitCode, `${what} ended with ${is.exitCode}`);
    }
    // All of them sleep until they are killed, and somebody saw it.
    if (after === 'kill' && is.exitCode !== undefined) assert.equal(is.exitCode, 137, `${what} ended with`);
    assert.ok([known.name, asked?.name].includes(is.name), `${what} is called ${is.name}`);
    assert.ok([known.memory, asked?.memory].includes(is.memory), `${what} may have ${is.memory} bytes`);
    const networks = [known.networks, asked?.networks].map(String);
    assert.ok(networks.includes(String(is.networks)), `${what} is on ${String(is.networks)}`);
  }
  for (const [id, seen] of now) {
    const name = knownOf(seen).name;
    assert.ok(told.containers.has(id) || told.askedNames.has(name), `${when}: nobody made ${name}`);
  }
}

/** What the start of the daemon may make of a state. */
function afterStart(
  state: Known['state'] | 'gone',
  { policy, autoRemove }: Known,
  after: Checked['after'],
): (Known['state'] | 'gone')[] {
  if (after === 'power cut' && (state === 'running' || state === 'paused')) {
    if (autoRemove) return ['gone'];
    return [policy === '' ? 'stopped' : 'running'];
  }
  if ((state === 'stopped' || state === 'created') && autoRemove) return ['gone'];
  if (state === 'stopped' && policy === 'always') return ['running'];
  return [state];
}

/** A client's view of a container as what a client knows of it. Throws for a state that lasts a moment only. */
function knownOf({ Name, State, HostConfig, NetworkSettings }: ContainerInspect): Known {
  const states: Partial<Record<string, Known['state']>> = {
    created: 'created',
    running: 'running',
    paused: 'paused',
    exited: 'stopped',
  };
  const state = states[State.Status];
  assert.ok(state !== undefined, `${Name} is ${State.Status}`);
  return {
    name: Name.slice(1),
    state,
    exitCode: state === 'stopped' ? State.ExitCode : undefined,
    memory: HostConfig.Memory,
    networks: Object.keys(NetworkSettings.Networks).sort(),
    policy: HostConfig.RestartPolicy.Name.replace(/^no$/, ''),
    autoRemove: HostConfig.AutoRemove,
  };
}

function checkRows({ root }: EngineConfig, listed: readonly ContainerSummary[], when: string): void {
  const db = new DatabaseSync(join(root, 'gantry.db'), { readOnly: true });
  try {
    const rows = db.prepare('SELECT id, name, state FROM containers ORDER BY id').all();
    const stored = rows.map(({ id, name, state }) => {
      const { running, paused } = JSON.parse(String(state)) as { running: boolean; paused: boolean };
      return { id, name, running, paused };
    });
    const shown = listed.map(({ Id, Names, State }) => ({
      id: Id,
      name: Names[0],
      running: State === 'running' || State === 'paused',
      paused: State === 'paused',
    }));
    shown.sort((a, b) => (a.id < b.id ? -1 : 1));
    assert.deepEqual(stored, shown, `${when}: rows`);
  } finally {
    db.close();
  }
}

function checkKernel(config: EngineConfig, inspected: readonly ContainerInspect[], when: string): void {
  const up = inspected.filter(({ State }) => State.Running);
  const ids = up.map(({ Id }) => Id).sort();
  const kernel = readKernel(config);
  assert.deepEqual([...kernel.monitors].sort(), ids, `${when}: monitors`);
  assert.deepEqual([...kernel.cgroups].sort(), ids, `${when}: cgroups`);
  assert.equal(kernel.mounts, up.length, `${when}: mounts`);
  for (const part of ['runc', 'c']) {
    assert.deepEqual(
      namesIn(join(config.run, part)).sort(),
      ids,
      `${when}: ${part} in the runtime directory`,
    );
  }
  const stray = namesIn(join(config.run, 'x')).filter((id) => !ids.includes(id));
  assert.deepEqual(stray, [], `${when}: execs of containers that do not run`);
  const spare = kernel.namespaces.length - up.length;
  assert.ok(spare >= 0 && spare <= poolSize, `${when}: ${spare} network namespaces too many`);
  for (const { Name, State, HostConfig, NetworkSettings } of up) {
    const what = `${when}: ${Name}`;
    assert.ok(!isEnding(State.Pid), `${what} is ending`);
    const cgroups = cgroupsOf(State.Pid);
    assert.equal(isFrozen(cgroups), State.Paused, `${what}: paused`);
    assert.equal(memoryLimit(cgroups), HostConfig.Memory, `${what}: memory`);
    const addresses = Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
    assert.deepEqual(addressesOf(State.Pid), addresses.sort(), `${what}: addresses`);
  }
  const ports = up.flatMap(({ NetworkSettings }) =>
    Object.values(NetworkSettings.Ports).flatMap((bindings) =>
      (bindings ?? []).map(({ HostPort }) => {
        const first = Object.values(NetworkSettings.Networks).find(({ Gateway }) => Gateway !== '');
        return `${HostPort} ${first?.IPAddress}`;
      }),
    ),
  );
  assert.deepEqual(publishedPorts(config.instance), ports.sort(), `${when}: published ports`);
}

/** Killed: its end is seen once what an exec left in it is reaped, which is another process's to do. */
function isEnding(pid: number): boolean {
  const flags = statFields(pid)[6];
  return flags === undefined || (Number(flags) & processExiting) !== 0;
}

/** Absolute paths of a process's cgroups: its freezer's and its memory's, which are one on cgroup v2. */
function cgroupsOf(pid: number): {
  readonly freezer: string;
  readonly memory: string;
  readonly unified: boolean;
} {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const pathOf = (controller: string) =>
    lines.find((line) => line.split(':')[1]?.split(',').includes(controller))?.split(':')[2];
  const [freezer, memory] = [pathOf('freezer'), pathOf('memory')];
  if (freezer !== undefined && memory !== undefined) {
    const root = '/sys/fs/cgroup';
    return { freezer: join(root, 'freezer', freezer), memory: join(root, 'memory', memory), unified: false };
  }
  const path = join('/sys/fs/cgroup', pathOf('') ?? '');
  return { freezer: path, memory: path, unified: true };
}

function isFrozen({ freezer, unified }: ReturnType<typeof cgroupsOf>): boolean {
  const file = unified ? 'cgroup.freeze' : 'freezer.state';
  return ['FROZEN', '1'].includes(readFileSync(join(freezer, file), 'utf8').trim());
}

function memoryLimit({ memory, unified }: ReturnType<typeof cgroupsOf>): number {
  return Number(readFileSync(join(memory, unified ? 'memory.max' : 'memory.limit_in_bytes'), 'utf8'));
}

async function checkNetworks(told: Told, get: Get, config: EngineConfig, when: string): Promise<void> {
  const networks = await get<{ Name: string; Driver: string }[]>('/networks');
  const names = new Set(networks.map(({ Name }) => Name));
  assert.deepEqual(lost(told.networks, names), [], `${when}: networks lost`);
  assert.equal(lost(names, told.removedNetworks).length, names.size, `${when}: removed networks are back`);
  const bridges = networks.filter(({ Driver }) => Driver === 'bridge');
  assert.equal(readKernel(config).bridges.length, bridges.length, `${when}: bridges`);
}

function checkDisk(config: EngineConfig, ids: ReadonlySet<string>, when: string): void {
  const disk = readDisk(config);
  const sorted = [...ids].sort();
  assert.deepEqual([...disk.containers].sort(), sorted, `${when}: directories`);
  assert.deepEqual([...disk.active].sort(), sorted, `${when}: snapshots`);
  assert.deepEqual(
    disk.volumeUsers.filter((id) => !ids.has(id)),
    [],
    `${when}: users of volumes`,
  );
  const { strays, problems, temporary, leases } = disk;
  assert.deepEqual({ strays, problems, temporary, leases }, nothing, when);
}

async function checkVolumes(told: Told, get: Get, { root }: EngineConfig, when: string): Promise<void> {
  const list = async (filters: object) => {
    const query = encodeURIComponent(JSON.stringify(filters));
    const { Volumes } = await get<{ Volumes: { Name: string }[] }>(`/volumes?filters=${query}`);
    return Volumes.map(({ Name }) => Name).sort();
  };
  const names = new Set(await list({}));
  assert.deepEqual(lost(told.volumes, names), [], `${when}: volumes lost`);
  assert.equal(lost(names, told.removedVolumes).length, names.size, `${when}: removed volumes are back`);
  const present = namesIn(join(root, 'volumes')).filter((name) => !name.startsWith('.'));
  assert.deepEqual(present.sort(), [...names].sort(), `${when}: directories of volumes`);
  for (const name of names) {
    const data = join(root, 'volumes', name, '_data');
    assert.ok(existsSync(data), `${when}: ${name}`);
    // Volumes of containers are filled from the image's /etc when they are first mounted, whole or not at all.
    const passwd = join(data, 'passwd');
    if (existsSync(passwd))
      assert.match(readFileSync(passwd, 'utf8'), /^root:/, `${when}: ${name} was cut short`);
  }
  const unused = { dangling: ['true'], label: ['com.docker.volume.anonymous'] };
  assert.deepEqual(await list(unused), [], `${when}: anonymous volumes that nobody uses`);
}

async function checkImages(told: Told, host: string, when: string): Promise<void> {
  const statusOf = async (name: string) =>
    (await callEngine(host, { method: 'GET', path: `/images/${name}/json` })).status;
  for (const name of told.images.keys()) assert.equal(await statusOf(name), 200, `${when}: ${name} is lost`);
  for (const name of told.removedImages) assert.equal(await statusOf(name), 404, `${when}: ${name} is back`);
}

function trackedOf(one: ContainerInspect): Tracked {
  const tracked: Tracked = { id: one.Id, known: knownOf(one), asked: undefined, busy: false };
  if (one.State.Pid > 0) tracked.pid = one.State.Pid;
  return tracked;
}

function lost(wanted: Iterable<string>, there: ReadonlySet<string>): string[] {
  return [...wanted].filter((name) => !there.has(name));
}
