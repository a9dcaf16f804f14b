import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, afterEach } from 'node:test';
import { engineConfig } from '../../src/config/index.ts';
import { ok, runCommand, startDaemon } from '../support/daemon.ts';
import { callEngine, getJson } from '../support/engine-call.ts';
import { temporaryDirectory } from '../support/files.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

// What is asked of a container while something else is under way. An update, or a start, that makes a directory on a
// frozen disk holds its container for as long as a test likes.

const disk = new SmallDisk(temporaryDirectory({ after: (cleanUp) => process.once('exit', cleanUp) }), 16);
const engine = await startDaemon({ after });

afterEach(() => {
  for (const id of docker('ps', '-aq').split('\n')) if (id !== '') docker('rm', '-f', id);
});

const docker = (...args: string[]) => engine.ok(args);
const show = (name: string, format: string) => docker('inspect', '-f', format, name);

/** A program that fails at once, unless A is 2. */
const program = ['base:1', 'sh', '-c', '[ "$A" = 2 ] && exec sleep 1000; exit 1'];

/** Waits until a container has 3.2 s to wait for its next restart. */
const waits = (name: string) =>
  until(() => show(name, '{{.RestartCount}} {{.State.Status}}') === '6 restarting', 'it does not wait');

const post = async (path: string, body: object = {}) =>
  callEngine(engine.host, { method: 'POST', path, body });

/** Begins to change a container, and comes no further while the disk is frozen. */
const update = async (name: string) =>
  post(`/gantry/containers/${name}/reconfigure`, {
    Env: ['A=2'],
    Binds: [`${join(disk.mountPoint, name)}:/more`],
  });

test('a restart that falls due while an update begins is left to the update', async () => {
  docker('run', '-d', '--name', 'app', '--restart', 'always', ...program);
  await waits('app');
  const due = Date.parse(show('app', '{{.State.FinishedAt}}')) + 3200;
  let updating: ReturnType<typeof update>;
  {
    using _frozen = disk.freeze();
    updating = update('app');
    await until(() => Date.now() > due + 500, 'time goes on');
    assert.equal(show('app', '{{.RestartCount}} {{.State.Status}}'), '6 restarting');
  }
  assert.equal((await updating).status, 200);
  assert.match(show('app', '{{.State.Status}} {{.Config.Env}}'), /^running .*\bA=2\b/);
});

test('a prune leaves what has come to wait for its restart since it began', async () => {
  docker('create', '--name', 'first', ...program);
  docker('create', '--name', 'app', '--restart', 'always', ...program);
  let pruning: ReturnType<typeof post>;
  let updating: ReturnType<typeof update>;
  {
    using _frozen = disk.freeze();
    updating = update('first');
    pruning = post('/containers/prune');
    assert.equal((await post('/containers/prune')).status, 409);
    docker('start', 'app');
    await waits('app');
  }
  assert.equal((await updating).status, 200);
  const { ContainersDeleted: deleted } = JSON.parse((await pruning).body) as { ContainersDeleted: string[] };
  assert.equal(deleted.length, 1);
  await until(() => show('app', '{{.RestartCount}}') === '7', 'it is not started again');
});

test('one that waits for its restart and cannot be removed is dead', async (t) => {
  const id = docker('run', '-d', '--name', 'app', '--restart', 'always', ...program);
  await waits('app');
  const blocked = join(engineConfig({ root: engine.root }).run, 'x', id, 'blocked');
  mkdirSync(blocked, { recursive: true });
  ok('mount', '-t', 'tmpfs', 'blocked', blocked);
  t.after(() => runCommand('umount', [blocked]));
  assert.notEqual(engine.docker(['rm', '-f', 'app']).code, 0);
  assert.match(show('app', '{{.State.Status}} {{.State.Running}} {{.State.Error}}'), /^dead false EBUSY: /);
  ok('umount', blocked);
});

test('each of several restarts at once is made', async () => {
  docker('run', '-d', '--name', 'app', '--stop-signal', 'KILL', 'base:1', 'sleep', '1000');
  const restarts = [1, 2, 3].map(async () => post('/containers/app/restart'));
  assert.deepEqual(
    (await Promise.all(restarts)).map(({ status }) => status),
    [204, 204, 204],
  );
  assert.equal(show('app', '{{.State.Status}}'), 'running');
});

for (const [asked, after] of [
  ['stop', 'exited'],
  ['restart', 'running'],
] as const) {
  test(`a ${asked} and a wait that meet a start wait for it`, async () => {
    const source = join(disk.mountPoint, asked);
    const id = docker('create', '--name', 'app', '-v', `${source}:/more`, 'base:1', 'sleep', '1000');
    rmdirSync(source);
    let answers: ReturnType<typeof post>[];
    {
      using _frozen = disk.freeze();
      const starting = post('/containers/app/start');
      await until(() => existsSync(join(engine.root, 'containers', id, 'hosts')), 'it does not start');
      answers = [starting, post('/containers/app/wait'), post(`/containers/app/${asked}?t=0`)];
      // Once it is told this it has heard of those.
      await getJson(engine.host, '/containers/json');
    }
    const [started, waited, ended] = await Promise.all(answers);
    assert.deepEqual([started?.status, ended?.status], [204, 204]);
    assert.deepEqual(JSON.parse(waited?.body ?? ''), { StatusCode: 137, Error: null });
    assert.equal(show('app', '{{.State.Status}}'), after);
  });
}
