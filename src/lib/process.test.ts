import assert from 'node:assert/strict';
import test from 'node:test';
import { exitOf, start } from './process.ts';

test('exitOf() gives the exit code, or 128 and the signal that ended the program', async () => {
  const ended = (script: string) => exitOf('sh', start('sh', ['-c', script], { stdio: 'ignore' }));
  assert.equal(await ended('exit 3'), 3);
  assert.equal(await ended('kill -s TERM $$'), 143);
  assert.equal(await ended('kill -s SEGV $$'), 139);
});
