import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ignoreClosed } from '../../src/lib/ignore-closed.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { monitorsOf, ticksIn } from '../support/runtime-helpers.ts';
import { until } from '../support/until.ts';

/** A docker client that sends more than a pipe holds. */
function sender(t: TestContext, daemon: TestDaemon, args: readonly string[]): ChildProcess {
  const env = { ...process.env, DOCKER_CONFIG: join(daemon.directory, 'docker-config') };
  const client = spawn('docker', ['-H', daemon.host, ...args], { stdio: ['pipe', 'ignore', 'ignore'], env });
  t.after(() => client.kill('SIGKILL'));
  client.stdin?.on('error', ignoreClosed);
  client.stdin?.write(Buffer.alloc(1_000_000));
  return client;
}

test('a process that closes its stdin under a client that sends keeps nobody busy', async (t) => {
  const daemon = await startDaemon(t);
  const run = ['base:1', 'sh', '-c', 'exec <&-; echo closed; exec sleep 1000'];
  daemon.ok(['run', '-di', '--name', 'kept', ...run]);
  const clients = [
    sender(t, daemon, ['run', '-i', '--name', 'once', ...run]),
    sender(t, daemon, ['attach', 'kept']),
  ];
  const names = ['once', 'kept'];
  for (const name of names) {
    const closed = () => daemon.docker(['logs', name]).stdout === 'closed\n';
    await until(closed, `${name} does not start`);
  }
  const monitors: number[] = [];
  for (const name of names)
    monitors.push(...(await monitorsOf('', daemon.ok(['inspect', '-f', '{{.Id}}', name]))));
  const spent = async () => {
    await sleep(500);
    return ticksIn(2000, monitors);
  };
  assert.equal(monitors.length, 2);
  for (const ticks of await spent()) assert.ok(ticks < 20, `a monitor was busy for ${ticks} of 200 ticks`);

  // Nobody holds the pipes until the daemon is back.
  await daemon.end('SIGKILL');
  for (const client of clients) if (client.exitCode === null) await once(client, 'exit');
  await daemon.start();
  for (const ticks of await spent())
    assert.ok(ticks < 20, `found again it was busy for ${ticks} of 200 ticks`);
  const begun = Date.now();
  daemon.ok(['rm', '-f', ...names]);
  assert.ok(Date.now() - begun < 10_000, 'what nobody reads keeps no container from ending');
});
