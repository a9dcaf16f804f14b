import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startDaemon } from '../support/daemon.ts';
import { callEngine, getJson } from '../support/engine-call.ts';
import { actionsOf, prunesOf } from '../support/event-times.ts';
import { until } from '../support/until.ts';

// What clients are shown of containers: health, statistics, processes, and that they looked.

const engine = await startDaemon({ after });
const docker = (...args: string[]) => engine.ok(args);
const show = (name: string, format: string) => docker('inspect', '-f', format, name);
const run = (name: string, ...options: string[]) =>
  docker('run', '-d', '--name', name, ...options, 'base:1', 'sleep', '1000');

test('a container that has ended is not healthy, which is no event', async () => {
  run('checked', '--health-cmd', 'true', '--health-interval', '100ms');
  await until(() => show('checked', '{{.State.Health.Status}}') === 'healthy', 'it is not healthy');
  docker('kill', 'checked');
  assert.equal(show('checked', '{{.State.Health.Status}}'), 'unhealthy');
  const told = actionsOf(engine, 'checked').filter((action) => action.startsWith('health_status'));
  assert.deepEqual(told, ['health_status: healthy']);
  docker('start', 'checked');
  await until(() => show('checked', '{{.State.Health.Status}}') === 'healthy', 'it is not healthy again');
  docker('rm', '-f', 'checked');
});

test('statistics have the networks of the container whose network is shared', async () => {
  run('giver');
  run('taker', '--network', 'container:giver');
  run('chained', '--network', 'container:taker');
  run('bare', '--network', 'host');
  run('bared', '--network', 'container:bare');
  const networksOf = async (name: string) => {
    const path = `/containers/${name}/stats?stream=false&one-shot=true`;
    const { networks } = await getJson<{ networks?: object }>(engine.host, path);
    return networks === undefined ? undefined : Object.keys(networks);
  };
  for (const name of ['giver', 'taker', 'chained']) assert.deepEqual(await networksOf(name), ['eth0'], name);
  for (const name of ['bare', 'bared']) assert.equal(await networksOf(name), undefined, name);
  docker('rm', '-f', 'giver', 'taker', 'chained', 'bare', 'bared');
});

test('top is an event, and is refused for a container that waits for its restart', async () => {
  run('looked');
  docker('top', 'looked');
  assert.equal(actionsOf(engine, 'looked').at(-1), 'top');
  docker('rm', '-f', 'looked');
  docker('run', '-d', '--name', 'loops', '--restart', 'always', 'base:1', 'false');
  await until(
    () => /^restarting [5-9]/.test(show('loops', '{{.State.Status}} {{.RestartCount}}')),
    'it is not restarted',
  );
  const { status, body } = await callEngine(engine.host, { method: 'GET', path: '/containers/loops/top' });
  assert.equal(status, 409);
  assert.match(body, /Container \w+ is restarting, wait until the container is running/);
  docker('rm', '-f', 'loops');
});

test('a prune of networks is an event', () => {
  docker('network', 'create', 'unused');
  assert.match(docker('network', 'prune', '-f'), /unused/);
  assert.equal(prunesOf(engine), 'network 0');
});
