import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from './pool.ts';

function counting(size: number, fails = false) {
  const seen = { size, next: 0, destroyed: [] as number[], errors: 0 };
  const pool = new Pool<number>({
    size: () => seen.size,
    build: async (count) => {
      if (fails) throw new Error('no');
      return Array.from({ length: count }, () => seen.next++);
    },
    destroy: async (items) => void seen.destroyed.push(...items),
    onError: () => void (seen.errors += 1),
  });
  return { pool, seen };
}

test('take() gives what stands ready, in order, and each once', async () => {
  const { pool } = counting(2);
  await pool.fill();
  const taken = await Promise.all([pool.take(), pool.take(), pool.take(), pool.take()]);
  assert.deepEqual([...new Set(taken)].length, 4);
  assert.deepEqual(taken.slice(0, 2), [0, 1]);
  await pool.close();
});

test('take() of a pool of none builds one', async () => {
  const { pool } = counting(0);
  assert.equal(await pool.take(), 0);
  await pool.close();
});

test('close() gives back what nobody took', async () => {
  const { pool, seen } = counting(3);
  await pool.fill();
  await pool.take();
  await pool.close();
  assert.ok(seen.destroyed.includes(1) && seen.destroyed.includes(2));
});

test('what is taken while it fills is made up for', async () => {
  const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const built: number[] = [];
  const pool = new Pool<number>({
    size: () => 4,
    build: async (count) => {
      built.push(count);
      if (built.length === 2) {
        begun.resolve();
        await gate.promise;
      }
      return Array.from({ length: count }, () => 0);
    },
    destroy: async () => undefined,
    onError: assert.fail,
  });
  await pool.fill();
  await pool.take();
  await begun.promise;
  await pool.take();
  gate.resolve();
  for (const deadline = Date.now() + 5000; built.length < 3 && Date.now() < deadline; ) await sleep(10);
  assert.deepEqual(built, [4, 1, 1]);
  await pool.close();
});

test('a pool is filled to the size that it has at the time', async () => {
  const { pool, seen } = counting(4);
  seen.size = 1;
  await pool.fill();
  await pool.fill();
  assert.equal(seen.next, 1);
  seen.size = 3;
  await pool.fill();
  assert.equal(seen.next, 3);
  await pool.close();
});

test('drain() gives back what stands ready and what is on its way, and take() fills again', async () => {
  const { pool, seen } = counting(2);
  const filled = pool.fill();
  await pool.drain();
  assert.deepEqual(seen.destroyed, [0, 1]);
  await filled;
  assert.equal(await pool.take(), 2);
  await pool.close();
  assert.deepEqual(seen.destroyed, [0, 1, 3, 4]);
});

test('a build that fails is told to the taker', async () => {
  const { pool, seen } = counting(1, true);
  await pool.fill();
  assert.equal(seen.errors, 1);
  await assert.rejects(pool.take(), /no/);
  await pool.close();
});

test('take() of an empty pool builds its own before those of the pool', async () => {
  const built: number[] = [];
  const pool = new Pool<number>({
    size: () => 4,
    build: async (count) => {
      built.push(count);
      return Array.from({ length: count }, () => 0);
    },
    destroy: async () => undefined,
    onError: assert.fail,
  });
  await pool.take();
  assert.deepEqual(built, [1, 4]);
  await pool.close();
});
