import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDaemon } from '../support/daemon.ts';
import { runClient } from '../support/docker-client.ts';

const engine = await startDaemon({ after });
const docker = (...args: string[]) => engine.ok(args);

test('each of two commits at once takes the container at one moment', async () => {
  // Between the first and the last file of the layer lie 64 MiB.
  const count = 'n=0; while :; do n=$((n + 1)); echo $n >>/a; echo $n >>/z; done';
  const script = `dd if=/dev/zero of=/middle bs=1M count=64 2>/dev/null; ${count}`;
  docker('run', '-d', '--name', 'counts', 'base:1', 'sh', '-c', script);
  while (engine.docker(['exec', 'counts', 'test', '-s', '/z']).code !== 0) await sleep(50);
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
