import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../src/client/index.ts';
import { hasErrno } from '../../src/errors/index.ts';
import type { CommandResult } from '../support/daemon.ts';
import { runCommand, startDaemon } from '../support/daemon.ts';
import { runClient } from '../support/docker-client.ts';
import { callEngine } from '../support/engine-call.ts';
import { actionsOf, prunesOf } from '../support/event-times.ts';
import { until } from '../support/until.ts';

// How containers end: a stop, a restart or a kill that meets an exit, a pause or a commit; a prune.

const engine = await startDaemon({ after });
const docker = (...args: string[]) => engine.ok(args);
const show = (name: string, format: string) => docker('inspect', '-f', format, name);

/** A descriptor of a fifo that somebody is about to read; `undefined` as long as nobody is. */
function openWhenRead(fifo: string): number | undefined {
  try {
    return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, 'ENXIO')) return undefined;
    throw error;
  }
}

/** Runs a client while the container's exit is known to the kernel but not yet in its row. */
async function duringExit(id: string, args: readonly string[]): Promise<CommandResult> {
  const hosts = join(engine.root, 'containers', id, 'hosts');
  renameSync(hosts, `${hosts}.kept`);
  let holder: Promise<CommandResult>;
  let client: Promise<CommandResult>;
  let reading: number | undefined;
  try {
    assert.equal(runCommand('mkfifo', [hosts]).code, 0);
    // It reads that file while it holds the container's lock.
    holder = runClient(engine, ['network', 'connect', 'other', id]);
    await until(() => {
      reading = openWhenRead(hosts);
      return reading !== undefined;
    }, 'the file is not read');
    const pid = Number(show(id, '{{.State.Pid}}'));
    process.kill(pid, 'SIGKILL');
    await until(() => !existsSync(`/proc/${pid}`), 'it does not end');
    await sleep(300);
    client = runClient(engine, args);
    await sleep(500);
  } finally {
    renameSync(`${hosts}.kept`, hosts);
    if (reading !== undefined) closeSync(reading);
  }
  const begun = performance.now();
  const result = await client;
  // What waits in vain takes its hundred seconds.
  assert.ok(performance.now() - begun < 60_000, `${args.join(' ')} took ${performance.now() - begun} ms`);
  await holder;
  return result;
}

const start = (...options: string[]) => docker('run', '-d', ...options, 'base:1', 'sleep', '1000');
const startScript = (script: string, ...options: string[]) =>
  docker('run', '-d', ...options, 'base:1', 'sh', '-c', script);

test('a stop that meets an exit is done, and leaves no trace', async () => {
  docker('network', 'create', 'other');
  const id = start();
  const { code, stderr } = await duringExit(id, ['stop', '-t', '100', id]);
  assert.equal(code, 0, stderr);
  assert.equal(show(id, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137');
  assert.deepEqual(actionsOf(engine, id), ['create', 'start', 'die']);
  docker('rm', id);
  const removed = start('--rm');
  assert.equal((await duringExit(removed, ['stop', '-t', '100', removed])).code, 0);
});

test('a restart that meets an exit starts the container', async () => {
  const id = start();
  const { code, stderr } = await duringExit(id, ['restart', '-t', '100', id]);
  assert.equal(code, 0, stderr);
  assert.equal(show(id, '{{.State.Status}}'), 'running');
  docker('rm', '-f', id);
});

test('who hears of a restart in its midst finds the container running', async () => {
  const id = start();
  const { system, containers } = createClient({ host: engine.host });
  const since = String(Date.now() / 1000);
  const restarted = containers.restart(id, { timeoutSeconds: 0 });
  const found: string[] = [];
  for await (const { Action } of system.events({ since, filters: { container: [id] } })) {
    if (Action === 'restart') break;
    if (Action !== 'die' && Action !== 'stop') continue;
    const { State } = await containers.inspect(id);
    found.push(`${Action} ${State.Status}`);
  }
  await restarted;
  assert.deepEqual(found, ['die running', 'stop running']);
  docker('rm', '-f', id);
});

test('a kill that meets an exit finds nothing to kill', async () => {
  for (const options of [[], ['--rm']]) {
    const id = start(...options);
    const { code, stderr } = await duringExit(id, ['kill', id]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`container ${id} is not running`));
    if (options.length === 0) docker('rm', id);
  }
});

test('a stop may wait for longer than a timer can', () => {
  for (const seconds of ['2147484', '4294968']) {
    const id = startScript('trap "sleep 1; exit 3" TERM; while :; do sleep 0.1; done');
    docker('exec', id, 'sleep', '0.3');
    docker('stop', '-t', seconds, id);
    assert.equal(show(id, '{{.State.ExitCode}}'), '3');
    docker('rm', id);
  }
});

/** It ends at once when it is told to, with exit code 3. */
const obedient = [
  'base:1',
  'sh',
  '-c',
  'trap "exit 3" TERM; trap "echo told" USR1; while :; do sleep 0.05; done',
];
const startObedient = (...options: string[]) => {
  const id = docker('run', '-d', ...options, ...obedient);
  docker('exec', id, 'sleep', '0.3');
  return id;
};

test('a signal that may end a paused container lets it go on', async () => {
  const id = startObedient();
  docker('pause', id);
  docker('kill', '-s', 'TERM', id);
  await until(() => show(id, '{{.State.Status}} {{.State.ExitCode}}') === 'exited 3', 'it does not end', 5);
  assert.deepEqual(actionsOf(engine, id).slice(-3), ['kill', 'unpause', 'die']);
  docker('rm', id);
});

test('a signal that is not the one that a container names for its stop leaves it paused', () => {
  const id = startObedient('--stop-signal', 'TERM');
  docker('pause', id);
  docker('kill', '-s', 'USR1', id);
  assert.equal(show(id, '{{.State.Status}}'), 'paused');
  docker('unpause', id);
  docker('rm', '-f', id);
  const unnamed = startObedient();
  docker('pause', unnamed);
  docker('kill', '-s', 'USR1', unnamed);
  assert.equal(show(unnamed, '{{.State.Status}}'), 'running');
  docker('rm', '-f', unnamed);
});

test('two stops of a paused container at once are both done', async () => {
  const id = startObedient();
  docker('pause', id);
  const stops = await Promise.all([1, 2].map(() => runClient(engine, ['stop', id])));
  for (const { code, stderr } of stops) assert.equal(code, 0, stderr);
  assert.equal(show(id, '{{.State.ExitCode}}'), '3');
  docker('rm', id);
});

/** A commit that takes a while, once it has the container frozen. */
async function beginCommit(id: string): Promise<Promise<CommandResult>[]> {
  docker('exec', id, 'dd', 'if=/dev/zero', 'of=/large', 'bs=1M', 'count=192');
  const pid = show(id, '{{.State.Pid}}');
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const group = (controller: string) => new RegExp(`^\\d+:${controller}:(.*)$`, 'm').exec(groups)?.[1];
  const [v1, v2] = [group('freezer'), group('')];
  const file = v1 === undefined ? `${v2}/cgroup.events` : `freezer${v1}/freezer.state`;
  const commit = runClient(engine, ['commit', id]);
  await until(
    () => /^(FROZEN|frozen 1)$/m.test(readFileSync(join('/sys/fs/cgroup', file), 'utf8')),
    'it is not frozen',
  );
  return [commit];
}

test('a stop during a commit is done, and so is the commit', async () => {
  // It goes on for longer than the commit does.
  const id = startScript('trap "sleep 4; exit 3" TERM; while :; do sleep 0.05; done');
  const [commit] = await beginCommit(id);
  docker('stop', id);
  const result = await commit;
  assert.equal(result?.code, 0, result?.stderr);
  assert.equal(show(id, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 3');
  docker('rm', id);
});

test('a container is as healthy after a commit as before, and may be paused during it', async () => {
  // A probe of a frozen container would fail at once.
  const check = ['--health-cmd', 'true', '--health-interval', '100ms', '--health-timeout', '10s'];
  const id = startObedient(...check, '--health-retries', '1');
  await until(() => show(id, '{{.State.Health.Status}}') === 'healthy', 'it is not healthy');
  const [commit] = await beginCommit(id);
  docker('pause', id);
  docker('unpause', id);
  docker('pause', id);
  assert.equal((await commit)?.code, 0);
  assert.equal(show(id, '{{.State.Status}}'), 'paused');
  await sleep(500);
  docker('unpause', id);
  docker('exec', id, 'true');
  const told = actionsOf(engine, id).filter((action) => action.startsWith('health_status'));
  assert.deepEqual(told, ['health_status: healthy']);
  docker('rm', '-f', id);
});

test('any signal that ends a container without a stop signal of its own is a stop; one that it lives on with is none', async () => {
  const script = 'trap : HUP; trap "exit 0" INT; echo ready; while :; do sleep 0.05; done';
  const id = startScript(script, '--restart', 'always');
  await engine.ready(id);
  const pid = Number(show(id, '{{.State.Pid}}'));
  docker('kill', '-s', 'HUP', id);
  await sleep(1500);
  process.kill(pid, 'SIGKILL');
  await engine.ready(id, 2);
  docker('kill', '-s', 'INT', id);
  await until(() => show(id, '{{.State.Status}}') === 'exited', 'it does not stay away');
  await sleep(500);
  assert.equal(show(id, '{{.RestartCount}} {{.State.Status}}'), '1 exited');
  docker('rm', id);
});

test('a prune goes on past a container that cannot be removed, and there is one at a time', async (t) => {
  const ids = [1, 2, 3].map(() => docker('create', 'base:1', 'true'));
  const blocked = join(engine.root, 'containers', ids[0] ?? '', 'blocked');
  mkdirSync(blocked);
  assert.equal(runCommand('mount', ['-t', 'tmpfs', 'blocked', blocked]).code, 0);
  t.after(() => runCommand('umount', [blocked]));
  const call = { method: 'POST', path: '/containers/prune' };
  const answers = await Promise.all([callEngine(engine.host, call), callEngine(engine.host, call)]);
  const [done, refused] = answers.sort((a, b) => a.status - b.status);
  assert.deepEqual([done?.status, refused?.status], [200, 409]);
  assert.match(refused?.body ?? '', /a prune operation is already running/);
  const { ContainersDeleted } = JSON.parse(done?.body ?? '') as { ContainersDeleted: string[] };
  assert.deepEqual(ContainersDeleted, ids.slice(1));
  assert.match(prunesOf(engine), /^container \d+$/);
  assert.match(show(ids[0] ?? '', '{{.State.Status}} {{.State.Error}}'), /^dead EBUSY: /);
  assert.ok(docker('ps', '-as', '--no-trunc').includes(ids[0] ?? ''));
  runCommand('umount', [blocked]);
  docker('rm', '-f', ids[0] ?? '');
});
