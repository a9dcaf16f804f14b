import assert from 'node:assert/strict';
import test from 'node:test';
import type { RestartPolicy } from '../api/index.ts';
import { nextRestart, type RestartBackoff, startsWithDaemon } from './restart.ts';

function policy(Name: RestartPolicy['Name'], MaximumRetryCount = 0): RestartPolicy {
  return { Name, MaximumRetryCount };
}

test('nextRestart() follows the policy', () => {
  const table: [RestartPolicy, number, number, boolean][] = [
    [policy(''), 1, 0, false],
    [policy('no'), 1, 0, false],
    [policy('always'), 0, 99, true],
    [policy('unless-stopped'), 0, 99, true],
    [policy('on-failure'), 0, 0, false],
    [policy('on-failure'), 1, 99, true],
    [policy('on-failure', 3), 1, 2, true],
    [policy('on-failure', 3), 1, 3, false],
  ];
  for (const [given, exitCode, restartCount, expected] of table) {
    const next = nextRestart({ policy: given, exitCode, restartCount, ranMs: 0 });
    assert.equal(next !== undefined, expected, JSON.stringify([given, exitCode, restartCount]));
  }
});

test('nextRestart() doubles the delay up to a minute, and begins anew after a sound run', () => {
  const delays: number[] = [];
  let previous: RestartBackoff | undefined;
  for (let restartCount = 0; restartCount < 12; restartCount++) {
    previous = nextRestart({ policy: policy('always'), exitCode: 1, restartCount, ranMs: 5, previous });
    delays.push(previous?.delayMs ?? 0);
  }
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  assert.deepEqual(
    nextRestart({ policy: policy('always'), exitCode: 1, restartCount: 12, ranMs: 10_000, previous }),
    { delayMs: 100 },
  );
});

test('startsWithDaemon() starts `always` even when it was stopped by hand', () => {
  const stopped = { stoppedByUser: true, exitCode: 137, restartCount: 0, hasRun: true };
  const died = { stoppedByUser: false, exitCode: 1, restartCount: 0, hasRun: true };
  assert.equal(startsWithDaemon(policy('always'), stopped), true);
  assert.equal(startsWithDaemon(policy('unless-stopped'), stopped), false);
  assert.equal(startsWithDaemon(policy('unless-stopped'), died), true);
  assert.equal(startsWithDaemon(policy('on-failure'), died), true);
  assert.equal(startsWithDaemon(policy('no'), died), false);
  assert.equal(startsWithDaemon(policy('always'), { ...died, hasRun: false }), false);
});

test('startsWithDaemon() gives no more tries than the policy has', () => {
  const died = { stoppedByUser: false, exitCode: 1, hasRun: true };
  for (const [retries, restartCount, expected] of [
    [3, 2, true],
    [3, 3, false],
    [0, 99, true],
  ] as const) {
    assert.equal(startsWithDaemon(policy('on-failure', retries), { ...died, restartCount }), expected);
  }
});
