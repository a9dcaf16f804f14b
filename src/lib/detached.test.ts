import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { detached } from './detached.ts';

const piece = Buffer.alloc(100_000, 'x');

test('detached() gives the bytes of its source', async () => {
  assert.equal(await text(detached(Readable.from(['a', 'b', 'c'].map((one) => Buffer.from(one))))), 'abc');
  assert.equal(await text(detached(Readable.from([], { objectMode: false }))), '');
});

test('a source waits for whoever reads slowly, and runs out once it is left', async () => {
  let given = 0;
  const source = new Readable({
    read() {
      given += 1;
      this.push(given > 50 ? null : piece);
    },
  });
  const ended = once(source, 'end');
  for await (const chunk of detached(source)) {
    assert.equal((chunk as Buffer).length, piece.length);
    assert.ok(given < 10, `${given} pieces`);
    break;
  }
  assert.ok(!source.destroyed);
  await ended;
});

test('a source that nobody has read runs out', async () => {
  const source = Readable.from([piece], { objectMode: false });
  detached(source).destroy();
  await once(source, 'end');
});

test('what the source fails with comes through, and harms nobody where none reads', async () => {
  const broken = () =>
    Readable.from(
      (async function* () {
        yield piece;
        throw new Error('broken');
      })(),
    );
  const stream = detached(broken());
  await assert.rejects(text(stream), { message: 'broken' });
  const unread = detached(broken());
  const closed = Promise.withResolvers<void>();
  unread.once('close', () => {
    closed.resolve();
  });
  unread.read(0);
  await closed.promise;
});
