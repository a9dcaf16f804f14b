import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import type { StoreCheckMessage } from '../../src/api/index.ts';
import { checkNow } from '../integration/crash-check.ts';
import type { Told, Tracked } from '../integration/crash-told.ts';
import { callEngine } from '../support/engine-call.ts';

// Runs in the machine after it came back: what was acknowledged comes in, the containers as they are go out.
// node test/power-cut/check.ts ROOT HOST

const settleMs = 180_000;

const [root = '', host = ''] = process.argv.slice(2);
const told = deserialize(await buffer(process.stdin)) as Told;
const containers = await settled();
await checkStore();
process.stdout.write(serialize(containers));

/** Restart policies take their time. */
async function settled(): Promise<Tracked[]> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    try {
      return await checkNow({ told, host, root, after: 'power cut', when: 'after the power cut' });
    } catch (error) {
      if (!(error instanceof assert.AssertionError) || performance.now() > deadline) throw error;
      await sleep(1000);
    }
  }
}

async function checkStore(): Promise<void> {
  const { status, body } = await callEngine(host, { method: 'POST', path: '/gantry/store/check' });
  assert.equal(status, 200, body);
  const messages = body
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StoreCheckMessage);
  const problems = messages.flatMap((message) => ('Problem' in message ? [message.Problem] : []));
  assert.deepEqual(problems, [], 'gantry store check');
}
