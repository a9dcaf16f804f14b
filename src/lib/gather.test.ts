import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
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
  const pieces = (async function* () {
    yield Buffer.from('abcd');
    throw new Error('broken');
  })();
  const gathered = gather(Readable.from(pieces), 3);
  assert.deepEqual(await gathered.next(), { done: false, value: Buffer.from('abc') });
  await assert.rejects(gathered.next(), { message: 'broken' });
});

test('a stream that closes before its end is an error', async () => {
  const source = new Readable({ read: () => undefined });
  const gathered = gather(source, 3);
  const next = gathered.next();
  source.push('ab');
  source.destroy();
  await assert.rejects(next, { code: 'ERR_STREAM_PREMATURE_CLOSE' });
});

test('a source waits for whoever reads slowly, and is paused by who leaves', async () => {
  let given = 0;
  const source = new Readable({
    highWaterMark: 3,
    read() {
      given += 1;
      setImmediate(() => this.push('abc'));
    },
  });
  const gathered = gather(source, 3);
  for (let round = 0; round < 5; round += 1) {
    await gathered.next();
    await sleep(20);
    assert.ok(given < round + 6, `${given} pieces for ${round + 1}`);
  }
  await gathered.return();
  assert.ok(source.isPaused());
});
