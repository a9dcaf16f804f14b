import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectSeqpacket, watchProcess } from './fd-socket.ts';
import { exitOf, killGroup, start } from './process.ts';

test('watchProcess() resolves when the process ends, not before', async () => {
  const child = start('sleep', ['100'], { stdio: 'ignore' });
  using watch = watchProcess(child.pid ?? 0);
  let ended = false;
  const done = watch?.ended.then(() => {
    ended = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(ended, false);
  killGroup(child);
  await done;
  assert.equal(ended, true);
  await exitOf('sleep', child);
});

test('watchProcess() gives undefined for a process that is not there', () => {
  assert.equal(watchProcess(0x7ffffffe), undefined);
});

test('connectSeqpacket() rejects with ENOENT where no socket is, however long the path', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), `${'x'.repeat(150)}-`));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await assert.rejects(connectSeqpacket(directory, 'attach'), { code: 'ENOENT' });
});
