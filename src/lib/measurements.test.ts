import assert from 'node:assert/strict';
import test from 'node:test';
import { Measurements } from './measurements.ts';

/** A clock, and a measurement that takes some of its time. */
function bench(tookMs: number) {
  let now = 0;
  let count = 0;
  const sizes = new Measurements(() => now);
  const measure = async () => {
    now += tookMs;
    count += 1;
    return count;
  };
  return {
    get: () => sizes.get('x', measure),
    sizes,
    pass: (ms: number) => {
      now += ms;
    },
    count: () => count,
  };
}

test('get() measures again once twenty times the cost has passed', async () => {
  const { get, pass } = bench(10);
  assert.equal(await get(), 1);
  pass(200);
  assert.equal(await get(), 1);
  pass(1);
  assert.equal(await get(), 2);
});

test('get() does not wait for what takes long, but for an answer that is too old', async () => {
  const { get, pass, count } = bench(5_000);
  assert.equal(await get(), 1);
  pass(60_000);
  assert.equal(await get(), 1);
  assert.equal(count(), 1);
  pass(1);
  assert.equal(await get(), 1);
  assert.equal(count(), 2);
  assert.equal(await get(), 2);
  pass(600_001);
  assert.equal(await get(), 3);
});

test('get() shares one measurement among those who ask at once, and keeps none that failed', async () => {
  const sizes = new Measurements();
  let calls = 0;
  const fail = async () => {
    calls += 1;
    throw new Error('gone');
  };
  const results = await Promise.allSettled([sizes.get('x', fail), sizes.get('x', fail)]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(calls, 1);
  assert.equal(await sizes.get('x', async () => 7), 7);
});

test('retain() forgets the others', async () => {
  const { get, sizes, count } = bench(10);
  await get();
  sizes.retain(new Set(['y']));
  await get();
  assert.equal(count(), 2);
});
