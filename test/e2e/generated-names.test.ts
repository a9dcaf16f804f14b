import assert from 'node:assert/strict';
import test from 'node:test';
import { startDaemon } from '../support/daemon.ts';
import { callEngine } from '../support/engine-call.ts';

/** Runs in the daemon: chance always falls on the same. */
const noChance = `
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
crypto.randomInt = () => 0;
syncBuiltinESMExports();
`;

test('containers made at the same time get names of their own', async (t) => {
  const preload = `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(noChance)}`;
  const daemon = await startDaemon(t, { wrapper: ['env', preload] });
  const create = () =>
    callEngine(daemon.host, {
      method: 'POST',
      path: '/containers/create',
      body: { Image: 'base:1', Cmd: ['true'] },
    });
  const answers = await Promise.all([create(), create(), create()]);
  for (const { status, body } of answers) assert.equal(status, 201, body);
  const names = daemon.ok(['ps', '-a', '--format', '{{.Names}}']).split('\n');
  const isId = (name: string) => /^[0-9a-f]{12}$/.test(name);
  assert.equal(names.filter(isId).length, 1);
  const [drawn = '', again] = names.filter((name) => !isId(name)).sort();
  assert.match(drawn, /^[a-z]+_[a-z]+$/);
  assert.equal(again, `${drawn}0`);
});
