import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { watchProcess } from './fd-socket.ts';
import { openPidfd } from './pidfd.ts';
import { ProcessHandle } from './process-handle.ts';

test('a process has a pidfd; one that is gone, and a thread, have none', async () => {
  const fd = openPidfd(process.pid);
  assert.ok(fd !== undefined);
  closeSync(fd);
  const child = spawn('true');
  await once(child, 'exit');
  const thread = readdirSync('/proc/self/task')
    .map(Number)
    .find((id) => id !== process.pid);
  for (const id of [child.pid, thread]) {
    assert.ok(id !== undefined);
    assert.equal(openPidfd(id), undefined);
    assert.equal(watchProcess(id), undefined);
    assert.throws(() => new ProcessHandle(id), { code: 'ESRCH' });
  }
});
