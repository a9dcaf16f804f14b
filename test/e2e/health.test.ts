import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDaemon } from '../support/daemon.ts';
import { until } from '../support/until.ts';

const engine = await startDaemon({ after });
const docker = (...args: string[]) => engine.ok(args);
const show = (format: string) => docker('inspect', '-f', format, 'checked');

test('a probe that dies with its container says nothing of its health', async (t) => {
  const check = ['--health-cmd', 'sleep 1000', '--health-interval', '50ms', '--health-timeout', '100s'];
  docker('run', '-d', '--name', 'checked', ...check, 'base:1', 'sleep', '1000');
  await until(() => docker('top', 'checked').includes('sleep 1000\n'), 'a probe runs', 60);
  // A process whose parent does not wait for it keeps the first one from being gone.
  const parent = spawn('nsenter', ['--pid', '--target', show('{{.State.Pid}}'), 'sleep', '2000']);
  t.after(() => parent.kill('SIGKILL'));
  const children = `/proc/${parent.pid}/task/${parent.pid}/children`;
  await until(() => readFileSync(children, 'utf8') !== '', 'it runs in the container', 60);
  parent.kill('SIGSTOP');
  const killed = once(spawn('docker', ['-H', engine.host, 'kill', 'checked']), 'exit');
  await sleep(500);
  assert.equal(show('{{.State.Running}}'), 'true', 'it cannot be gone yet');
  parent.kill('SIGCONT');
  await killed;
  docker('wait', 'checked');
  assert.equal(show('{{.State.ExitCode}} {{json .State.Health.Log}}'), '137 []');
});

test('a container that was linked is renamed, and the other goes on with it', async () => {
  docker('run', '-d', '--name', 'db', '--stop-signal', 'KILL', 'base:1', 'sleep', '1000');
  const options = [
    '--link',
    'db',
    '--health-cmd',
    'true',
    '--health-interval',
    '100ms',
    '--stop-signal',
    'KILL',
  ];
  docker('run', '-d', '--name', 'app', ...options, 'base:1', 'sleep', '1000');
  docker('rename', 'db', 'old');
  assert.match(docker('exec', 'app', 'env'), /^DB_NAME=\/app\/db$/m);
  docker('restart', 'app');
  const format = '{{.HostConfig.Links}} {{.State.Health.Status}}';
  await until(() => docker('inspect', '-f', format, 'app') === '[/old:/app/db] healthy', 'it is not healthy');
  // Whoever has the name is linked once the first is gone.
  docker('rm', '-f', 'old');
  docker('run', '-d', '--name', 'db', 'base:1', 'sleep', '1000');
  docker('restart', 'app');
  assert.equal(docker('inspect', '-f', '{{.HostConfig.Links}}', 'app'), '[/db:/app/db]');
  assert.match(docker('exec', 'app', 'cat', '/etc/hosts'), /\tdb /);
  docker('rm', '-f', 'app', 'db');
});
