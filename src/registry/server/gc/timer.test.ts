import assert from 'node:assert/strict';
import test from 'node:test';
import { startTimer } from './timer.ts';

test('startTimer() waits for longer than a timer can', async () => {
  let runs = 0;
  const work = async () => {
    runs += 1;
  };
  const timer = startTimer(2 ** 32, work, assert.ifError);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await timer[Symbol.asyncDispose]();
  assert.equal(runs, 0);
});
