import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDaemon } from '../support/daemon.ts';
import { runClient } from '../support/docker-client.ts';
import { callEngine } from '../support/engine-call.ts';
import { until } from '../support/until.ts';

const engine = await startDaemon({ after });
const docker = (...args: string[]) => engine.ok(args);

test('each of two commits at once takes the container at one moment', async () => {
  // Between the first and the last file of the layer lie 64 MiB.
  const count = 'n=0; while :; do n=$((n + 1)); echo $n >>/a; echo $n >>/z; done';
  const script = `dd if=/dev/zero of=/middle bs=1M count=64 2>/dev/null; ${count}`;
  docker('run', '-d', '--name', 'counts', 'base:1', 'sh', '-c', script);
  const hasBegun = () => engine.docker(['exec', 'counts', 'test', '-s', '/z']).code === 0;
  await until(hasBegun, 'it does not count', 120);
  const tags = ['counted:1', 'counted:2', 'counted:3', 'counted:4'];
  const commits = tags.map(async (tag, index) => {
    await sleep(index * 150);
    return runClient(engine, ['commit', 'counts', tag]);
  });
  for (const { code, stderr } of await Promise.all(commits)) assert.equal(code, 0, stderr);
  for (const tag of tags) {
    const [first, last] = docker('run', '--rm', tag, 'tail', '-qn1', '/a', '/z').split('\n').map(Number);
    assert.ok(
      Number(first) - Number(last) <= 1 && Number(first) >= Number(last),
      `${tag}: ${first}, ${last}`,
    );
  }
  docker('exec', 'counts', 'true');
  docker('rm', '-f', 'counts');
});

test('settings sent with a commit go over those of the container, which keeps the others', async () => {
  docker(
    'create',
    '--name',
    'set',
    '-e',
    'A=a',
    '-e',
    'B=b',
    '-l',
    'one=1',
    '-w',
    '/srv',
    'base:1',
    'echo',
    'hi',
  );
  const body = { Env: ['A=new'], Labels: { two: '2' }, Cmd: null, User: '', WorkingDir: '' };
  const call = { method: 'POST', path: '/commit?container=set&repo=set&tag=1', body };
  const { status, body: answer } = await callEngine(engine.host, call);
  assert.equal(status, 201, answer);
  const config = JSON.parse(docker('inspect', '-f', '{{json .Config}}', 'set:1')) as Record<string, unknown>;
  const before = docker('inspect', '-f', '{{range .Config.Env}}{{println .}}{{end}}', 'set').split('\n');
  const others = before.filter((entry) => entry !== '' && !entry.startsWith('A='));
  assert.deepEqual(config['Env'], ['A=new', ...others]);
  assert.deepEqual(config['Labels'], { one: '1', two: '2' });
  assert.deepEqual([config['Cmd'], config['WorkingDir']], [['echo', 'hi'], '/srv']);
  docker('rm', 'set');
});
