import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { SharedWork } from './shared-work.ts';

test('join() runs the same work once and tells the latest to who comes later', async () => {
  const shared = new SharedWork<number, string>();
  const { promise, resolve } = Promise.withResolvers<number>();
  let runs = 0;
  const heard: string[] = [];
  const joining = {
    key: 'a',
    work: async (tell: (message: string) => void) => {
      runs += 1;
      tell('first');
      tell('second');
      return promise;
    },
  };
  const one = shared.join(joining);
  await turn();
  const two = shared.join({ ...joining, listener: (message) => void heard.push(message) });
  resolve(7);
  assert.deepEqual(await Promise.all([one, two]), [7, 7]);
  assert.equal(runs, 1);
  assert.deepEqual(heard, ['second']);
  assert.equal(await shared.join({ key: 'a', work: async () => 8 }), 8);
});

test('join() stops the work when the last waiter leaves, and not before', async () => {
  const shared = new SharedWork<void>();
  let stopped = false;
  const work = (_tell: unknown, signal: AbortSignal) =>
    new Promise<void>((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        stopped = true;
        reject(signal.reason as Error);
      });
    });
  const controllers = [new AbortController(), new AbortController()];
  const waiting = controllers.map(({ signal }) => shared.join({ key: 'a', work, signal }));
  await turn();
  controllers[0]?.abort();
  await assert.rejects(waiting[0] ?? assert.fail(), { name: 'AbortError' });
  assert.equal(stopped, false);
  controllers[1]?.abort();
  await assert.rejects(waiting[1] ?? assert.fail(), { name: 'AbortError' });
  assert.equal(stopped, true);
  await shared.idle();
});

test('join() tries once more as its own what another started and failed', async () => {
  const shared = new SharedWork<string>();
  const { promise, reject } = Promise.withResolvers<string>();
  const first = shared.join({ key: 'a', work: () => promise });
  const second = shared.join({ key: 'a', work: async () => 'mine' });
  await turn();
  reject(new Error('theirs'));
  await assert.rejects(first, /theirs/);
  assert.equal(await second, 'mine');
});
