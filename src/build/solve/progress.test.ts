import assert from 'node:assert/strict';
import test from 'node:test';
import { Slots } from '../../lib/slots.ts';
import type { BuildListener } from '../builder.ts';
import { QuietListener } from '../quiet-listener.ts';
import { OrderedProgress } from './progress.ts';

const hearing = (heard: (string | undefined)[]): BuildListener => ({
  tell: ({ stream }) => void heard.push(stream),
  ready: async () => undefined,
});

test('OrderedProgress lets sections speak in order, the first one live', () => {
  const heard: (string | undefined)[] = [];
  const progress = new OrderedProgress(hearing(heard));
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
  const progress = new OrderedProgress(hearing(heard));
  progress.section(2).print('c');
  progress.section(1).print('b');
  progress.flush();
  assert.deepEqual(heard, ['b', 'c']);
});

test('OrderedProgress lets a section that has said much wait for its turn', async () => {
  const heard: (string | undefined)[] = [];
  const progress = new OrderedProgress(hearing(heard));
  const [first, second] = [0, 1].map((position) => progress.section(position));
  assert.ok(first && second);
  let turns = 0;
  second.print('x'.repeat(1000));
  await second.ready();
  second.print('x'.repeat(1 << 20));
  const turn = second.ready().then(() => (turns += 1));
  await new Promise(setImmediate);
  assert.deepEqual([turns, heard], [0, []]);
  first.end();
  await turn;
  assert.equal(heard.length, 2);
  second.print('x'.repeat(1 << 20));
  await second.ready();
});

test('QuietListener keeps the last that was said, and says that it is not all', async () => {
  const told = (count: number) => {
    const quiet = new QuietListener(10_000);
    for (let index = 0; index < count; index += 1) quiet.tell({ stream: `${index}\n`.padEnd(100) });
    const heard: string[] = [];
    quiet.tellAll({
      tell: ({ stream }) => void heard.push(stream?.trim() ?? ''),
      ready: () => quiet.ready(),
    });
    return heard;
  };
  assert.deepEqual(
    told(20),
    Array.from({ length: 20 }, (_, index) => String(index)),
  );
  const [first, ...rest] = told(1000);
  assert.equal(first, '[the beginning of the output was too long to keep]');
  assert.ok(rest.length >= 25 && rest.length <= 50, String(rest.length));
  assert.equal(rest.at(-1), '999');
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
