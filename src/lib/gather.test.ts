import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import { gather } from './gather.ts';

for (const [pieces, gathered] of [
  [[], []],
  [['', ''], []],
  [['ab'], ['ab']],
  [
    ['a', 'b', 'cd', 'e'],
    ['abc', 'de'],
  ],
  [['abcdefg'], ['abc', 'def', 'g']],
  [
    ['abc', 'def'],
    ['abc', 'def'],
  ],
] as const) {
  test(`${JSON.stringify(pieces)} in threes`, async () => {
    const source = Readable.from(pieces.map((text) => Buffer.from(text)));
    const kept: Buffer[] = [];
    for await (const one of gather(source, 3)) kept.push(one);
    assert.deepEqual(kept.map(String), gathered);
  });
}

test('what the source fails with comes through', async () => {
  const source = (async function* () {
    yield Buffer.from('a');
    throw new Error('broken');
  })();
  await assert.rejects(gather(source, 3).next(), { message: 'broken' });
});
