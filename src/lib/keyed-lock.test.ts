import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { KeyedLock } from './keyed-lock.ts';

test('KeyedLock lets one in at a time, in the order they came, also past one that left', async () => {
  const locks = new KeyedLock();
  const entered: string[] = [];
  const enter = async (name: string, signal?: AbortSignal) => {
    const held = await locks.acquire('key', signal);
    entered.push(name);
    return held;
  };
  const first = await enter('first');
  const leaving = new AbortController();
  const left = enter('left', leaving.signal);
  const second = enter('second');
  leaving.abort();
  await assert.rejects(left, { name: 'AbortError' });
  await turn();
  assert.deepEqual(entered, ['first']);
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  assert.deepEqual(entered, ['first', 'second']);
});

test('KeyedLock keeps the next one out when the last in the queue leaves', async () => {
  const locks = new KeyedLock();
  const held = await locks.acquire('key');
  const leaving = new AbortController();
  const left = locks.acquire('key', leaving.signal);
  leaving.abort();
  await assert.rejects(left, { name: 'AbortError' });

  let isIn = false;
  const next = locks.acquire('key').then((lock) => {
    isIn = true;
    return lock;
  });
  await turn();
  assert.equal(isIn, false);
  held[Symbol.dispose]();
  (await next)[Symbol.dispose]();
});
