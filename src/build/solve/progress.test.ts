import assert from 'node:assert/strict';
import test from 'node:test';
import { Slots } from '../../lib/slots.ts';
import { OrderedProgress } from './progress.ts';

test('OrderedProgress lets sections speak in order, the first one live', () => {
  const heard: (string | undefined)[] = [];
  const progress = new OrderedProgress((message) => heard.push(message.stream));
  const [first, second, third] = [0, 1, 2].map((position) => progress.section(position));
  assert.ok(first && second && third);
  second.print('b1');
  first.print('a1');
  third.print('c1');
  third.end();
  assert.deepEqual(heard, ['a1']);
  first.end();
  second.print('b2');
  assert.deepEqual(heard, ['a1', 'b1', 'b2']);
  second.end();
  assert.deepEqual(heard, ['a1', 'b1', 'b2', 'c1']);
});

test('OrderedProgress.flush() tells what is left, in order', () => {
  const heard: (string | undefined)[] = [];
  const progress = new OrderedProgress((message) => heard.push(message.stream));
  progress.section(2).print('c');
  progress.section(1).print('b');
  progress.flush();
  assert.deepEqual(heard, ['b', 'c']);
});

test('Slots run no more than their number at once, also after a failure', async () => {
  const slots = new Slots(2);
  let running = 0;
  let most = 0;
  const work = async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
    if (most === 1) throw new Error('first');
  };
  await Promise.allSettled(Array.from({ length: 6 }, () => slots.run(work)));
  assert.equal(most, 2);
  assert.equal(running, 0);
});
