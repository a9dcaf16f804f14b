import assert from 'node:assert/strict';
import test from 'node:test';
import { Timeout } from './timeout.ts';

const longestTimerMs = 2 ** 31 - 1;

test('Timeout waits for longer than a timer can', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  using timeout = new Timeout(2 * longestTimerMs + 10);
  for (const ms of [longestTimerMs, longestTimerMs, 9]) {
    t.mock.timers.tick(ms);
    assert.equal(timeout.signal.aborted, false);
  }
  t.mock.timers.tick(1);
  assert.equal(timeout.signal.aborted, true);
  assert.equal((timeout.signal.reason as Error).name, 'TimeoutError');
});

test('Timeout takes times that are not whole, and ends with none', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  using short = new Timeout(2.5);
  using none = new Timeout(0);
  t.mock.timers.tick(3);
  assert.deepEqual([short.signal.aborted, none.signal.aborted], [true, true]);
});

test('Timeout does not abort once it is disposed of', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const timeout = new Timeout(5);
  timeout[Symbol.dispose]();
  t.mock.timers.tick(10);
  assert.equal(timeout.signal.aborted, false);
});
