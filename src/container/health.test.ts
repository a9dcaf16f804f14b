import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Health } from '../api/index.ts';
import type { Healthcheck } from '../oci/index.ts';
import {
  HealthLoop,
  type HealthLoopOptions,
  healthSettings,
  initialHealth,
  nextDelayMs,
  nextHealth,
} from './health.ts';

const startedAt = new Date('2026-01-01T00:00:00Z');
const after = (ms: number) => new Date(startedAt.getTime() + ms);
const result = (exitCode: number, atMs = 60_000, output = '') => ({
  start: after(atMs),
  end: after(atMs + 1),
  exitCode,
  output,
});
const rules = { retries: 3, startPeriodMs: 10_000, startedAt };

test("healthSettings() has Docker's defaults", () => {
  assert.deepEqual(healthSettings({ Test: ['CMD', 'a', 'b'] }), {
    command: ['a', 'b'],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    startIntervalMs: 5000,
    retries: 3,
  });
  const shell = healthSettings({ Test: ['CMD-SHELL', 'a b'], Interval: 2e9, Retries: 1 }, [
    '/bin/bash',
    '-c',
  ]);
  assert.deepEqual(
    [shell?.command, shell?.intervalMs, shell?.retries],
    [['/bin/bash', '-c', 'a b'], 2000, 1],
  );
  for (const Test of [undefined, [], ['NONE'], ['CMD'], ['', 'x']]) {
    assert.equal(healthSettings(Test === undefined ? {} : { Test }), undefined);
  }
  assert.equal(healthSettings(undefined), undefined);
});

test('nextHealth() counts failures until the retries are used up', () => {
  let health: Health = initialHealth;
  const seen: [string, number][] = [];
  for (const exitCode of [1, 0, 1, 1, -1, 1, 0]) {
    health = nextHealth(health, result(exitCode), rules);
    seen.push([health.Status, health.FailingStreak]);
  }
  assert.deepEqual(seen, [
    ['starting', 1],
    ['healthy', 0],
    ['healthy', 1],
    ['healthy', 2],
    ['unhealthy', 3],
    ['unhealthy', 4],
    ['healthy', 0],
  ]);
  assert.equal(health.Log.length, 5);
});

test('nextHealth() counts no failure in the start period, before a first success', () => {
  const starting = nextHealth(initialHealth, result(1, 5000), rules);
  assert.deepEqual([starting.Status, starting.FailingStreak, starting.Log.length], ['starting', 0, 1]);
  const healthy = nextHealth(starting, result(0, 6000), rules);
  assert.equal(nextHealth(healthy, result(1, 7000), rules).FailingStreak, 1);
});

test('nextHealth() keeps 4,096 bytes of output', () => {
  const { Log } = nextHealth(initialHealth, result(0, 0, 'x'.repeat(5000)), rules);
  assert.equal(Log[0]?.Output.length, 4096);
});

test('nextDelayMs() is the start interval in the start period', () => {
  const settings = healthSettings({ Test: ['CMD', 'x'], StartPeriod: 10e9, StartInterval: 1e9 });
  assert.ok(settings !== undefined);
  assert.equal(nextDelayMs(initialHealth, settings, 5000), 1000);
  assert.equal(nextDelayMs(initialHealth, settings, 15_000), 30_000);
  assert.equal(nextDelayMs({ ...initialHealth, Status: 'healthy' }, settings, 5000), 30_000);
});

/** A probe that has ended as soon as it has begun. */
const ran = (exitCode: number, output = '') => ({ output: () => output, ended: Promise.resolve(exitCode) });

/** A loop of a container that has just started and is up, whose errors are the test's. */
function loopOf(check: Healthcheck, options: Partial<HealthLoopOptions>): HealthLoop {
  const settings = healthSettings({ Test: ['CMD', 'x'], ...check });
  assert.ok(settings !== undefined);
  return new HealthLoop({
    settings,
    startedAt: new Date(),
    health: initialHealth,
    probe: async () => ran(0),
    isUp: async () => true,
    onResult: () => undefined,
    onError(error) {
      throw error;
    },
    ...options,
  });
}

test('HealthLoop takes no result from a probe that failed with its container', async () => {
  const asked = Promise.withResolvers<void>();
  const loop = loopOf(
    { Interval: 5e6 },
    {
      probe: async () => ran(137),
      async isUp() {
        asked.resolve();
        return false;
      },
      onResult() {
        assert.fail('a result');
      },
    },
  );
  await asked.promise;
  await loop[Symbol.asyncDispose]();
});

test('HealthLoop probes, times out, tells results and stops', async () => {
  const seen: Health[] = [];
  const enough = Promise.withResolvers<void>();
  const aborted: boolean[] = [];
  let probes = 0;
  const loop = loopOf(
    { Interval: 5e6, Timeout: 20e6, Retries: 1 },
    {
      async probe(signal) {
        probes += 1;
        if (probes === 1) return ran(0, 'fine');
        if (probes === 2) throw new Error('container is gone');
        const ended = once(signal, 'abort').then(() => {
          aborted.push(true);
          return 0;
        });
        return { output: () => 'so far', ended };
      },
      onResult(health) {
        seen.push(health);
        if (seen.length === 3) enough.resolve();
      },
    },
  );
  await enough.promise;
  await loop[Symbol.asyncDispose]();
  const count = probes;
  assert.deepEqual(
    seen.slice(0, 3).map((health) => [health.Status, health.FailingStreak]),
    [
      ['healthy', 0],
      ['unhealthy', 1],
      ['unhealthy', 2],
    ],
  );
  const outputs = seen[2]?.Log.map((log) => [log.ExitCode, log.Output]);
  assert.deepEqual(outputs, [
    [0, 'fine'],
    [-1, 'container is gone'],
    [-1, 'Health check exceeded timeout (20ms): so far'],
  ]);
  assert.ok(aborted.length > 0);
  assert.equal(probes, count);
});

test('HealthLoop makes no probe beside one that does not die of its timeout', async () => {
  const died = Promise.withResolvers<number>();
  const [timedOut, again] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const results: (number | undefined)[] = [];
  let probes = 0;
  await using _loop = loopOf(
    { Interval: 5e6, Timeout: 20e6 },
    {
      async probe(signal) {
        probes += 1;
        if (probes === 1) return { output: () => '', ended: died.promise };
        again.resolve();
        await once(signal, 'abort');
        return ran(0);
      },
      onResult({ Log }) {
        results.push(Log.at(-1)?.ExitCode);
        timedOut.resolve();
      },
    },
  );
  try {
    await timedOut.promise;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual([probes, results], [1, [-1]]);
  } finally {
    died.resolve(0);
  }
  await again.promise;
});

test('HealthLoop does not count the start of a probe as its time', async () => {
  const seen = Promise.withResolvers<Health>();
  await using _loop = loopOf(
    { Interval: 5e6, Timeout: 20e6 },
    {
      async probe() {
        await sleep(60);
        return ran(0);
      },
      onResult: seen.resolve,
    },
  );
  assert.equal((await seen.promise).Status, 'healthy');
});

test('HealthLoop does not probe while paused', async () => {
  let probes = 0;
  const loop = loopOf(
    { Interval: 5e6 },
    {
      probe: async () => {
        probes += 1;
        return ran(0);
      },
      onResult: () => undefined,
    },
  );
  loop.paused = true;
  await new Promise((resolve) => setTimeout(resolve, 50));
  await loop[Symbol.asyncDispose]();
  assert.equal(probes, 0);
});

test('HealthLoop takes no result from a probe that a pause cuts off', async () => {
  const begun = Promise.withResolvers<void>();
  const loop = loopOf(
    { Interval: 5e6, Timeout: 20e6 },
    {
      async probe(signal) {
        begun.resolve();
        await once(signal, 'abort');
        return ran(1);
      },
      onResult: () => assert.fail('a result'),
    },
  );
  await begun.promise;
  loop.paused = true;
  await new Promise((resolve) => setTimeout(resolve, 50));
  await loop[Symbol.asyncDispose]();
});

test('HealthLoop takes a timeout of weeks and one that is no whole number of milliseconds', async () => {
  for (const Timeout of [1200 * 3600e9, 2500e3]) {
    const seen = Promise.withResolvers<Health>();
    const loop = loopOf(
      { Interval: 5e6, Timeout },
      {
        probe: async () => ran(0),
        onResult: seen.resolve,
      },
    );
    assert.equal((await seen.promise).Status, 'healthy');
    await loop[Symbol.asyncDispose]();
  }
});

test('HealthLoop waits for an interval of a month', async () => {
  const loop = loopOf(
    { Interval: 720 * 3600e9 },
    {
      probe: () => assert.fail('a probe'),
      onResult: () => assert.fail('a result'),
    },
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  await loop[Symbol.asyncDispose]();
});

test('HealthLoop tells what went wrong beside its probes, and goes on', async () => {
  const broken = new Error('no space left on device');
  const told: unknown[] = [];
  const twice = Promise.withResolvers<void>();
  const loop = loopOf(
    { Interval: 5e6 },
    {
      probe: async () => ran(0),
      onResult() {
        throw broken;
      },
      onError(error) {
        told.push(error);
        if (told.length === 2) twice.resolve();
      },
    },
  );
  await twice.promise;
  await loop[Symbol.asyncDispose]();
  assert.deepEqual(told.slice(0, 2), [broken, broken]);
});
