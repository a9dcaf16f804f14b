import assert from 'node:assert/strict';
import test from 'node:test';
import { Pool } from './pool.ts';

function counting(size: number, fails = false) {
  const seen = { next: 0, destroyed: [] as number[], errors: 0 };
  const pool = new Pool<number>({
    size,
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

test('a build that fails is told to the taker', async () => {
  const { pool, seen } = counting(1, true);
  await pool.fill();
  assert.equal(seen.errors, 1);
  await assert.rejects(pool.take(), /no/);
  await pool.close();
});
