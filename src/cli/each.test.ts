import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { EngineError } from '../errors/index.ts';
import type { Context } from './command.ts';
import { forEach, forEachAtOnce } from './each.ts';

/** What is done and what is written, in order. */
function recorder() {
  const record: string[] = [];
  const stream = (name: string) => ({ write: (text: string) => record.push(`${name} ${text.trimEnd()}`) });
  const context = { stdout: stream('out'), stderr: stream('err') } as unknown as Context;
  const work = async (name: string) => {
    record.push(`begin ${name}`);
    await turn();
    record.push(`end ${name}`);
    if (name === 'bad') throw new EngineError('notFound', 'no such bad');
  };
  return { record, context, work };
}

test('forEach() does one after the other, and tells of each at once', async () => {
  const { record, context, work } = recorder();
  assert.equal(await forEach(context, ['a', 'bad', 'b'], work), 1);
  assert.equal(
    record.join(', '),
    'begin a, end a, out a, begin bad, end bad, err no such bad, begin b, end b, out b',
  );
  assert.equal(await forEach(context, ['a'], () => Promise.resolve('said')), 0);
  assert.equal(record.at(-1), 'out said');
});

test('forEachAtOnce() does all together, and tells in the order of the names', async () => {
  const { record, context, work } = recorder();
  assert.equal(await forEachAtOnce(context, ['a', 'bad', 'b'], work), 1);
  assert.equal(
    record.join(', '),
    'begin a, begin bad, begin b, end a, end bad, end b, out a, err no such bad, out b',
  );
});
