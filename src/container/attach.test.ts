import assert from 'node:assert/strict';
import test from 'node:test';
import { PendingAttachments } from './attach.ts';

test('a client that waits for a container hears that nobody can be attached to it', {
  timeout: 10_000,
}, async () => {
  const pending = new PendingAttachments();
  const session = pending.session('a', { stdin: false, stdout: true, stderr: true, tty: false });
  const refusal = new Error('the monitor has died');
  await assert.rejects(
    pending.connect('a', async () => {
      throw refusal;
    }),
    refusal,
  );
  await assert.rejects(Array.fromAsync(session.output), refusal);
  await session[Symbol.asyncDispose]();
});
