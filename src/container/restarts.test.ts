import assert from 'node:assert/strict';
import test from 'node:test';
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
