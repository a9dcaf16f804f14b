import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { Restarts } from './restarts.ts';

test('nothing is planned any more once the restarts are closed', () => {
  const restarts = new Restarts({
    start: () => assert.fail('a start'),
    needs: () => [],
    logger: pino({ level: 'silent' }),
  });
  restarts.begin([]);
  restarts.schedule('before', 60_000);
  assert.equal(restarts.isPlanned('before'), true);
  restarts.close();
  restarts.schedule('after', 60_000);
  assert.deepEqual(
    ['before', 'after'].map((id) => restarts.isPlanned(id)),
    [false, false],
  );
});

test('a container comes after the one that it needs, however long that takes; two that need each other come too', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const slow = Promise.withResolvers<void>();
  const needs: Readonly<Record<string, readonly string[]>> = {
    second: ['first'],
    egg: ['hen'],
    hen: ['egg'],
  };
  const started: string[] = [];
  const restarts = new Restarts({
    start: async (id) => {
      if (id === 'first') await slow.promise;
      started.push(id);
    },
    needs: (id) => needs[id] ?? [],
    logger: pino({ level: 'silent' }),
  });
  restarts.begin(['first', 'second', 'egg', 'hen']);
  t.mock.timers.tick(30_000);
  await turn();
  assert.deepEqual(started, []);
  slow.resolve();
  await turn();
  assert.deepEqual(started, ['first', 'second']);
  t.mock.timers.tick(30_000);
  await turn();
  assert.deepEqual(started, ['first', 'second', 'egg', 'hen']);
});
