import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { tee } from './tee.ts';

async function* chunks(count: number) {
  for (let i = 0; i < count; i++) {
    // The stream's own events come in between.
    await setImmediate();
    yield Buffer.alloc(1024, i);
  }
}

async function collect(source: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0;
  for await (const chunk of source) bytes += chunk.length;
  return bytes;
}

test('tee() writes what it passes on', async () => {
  const written: Buffer[] = [];
  const writable = new Writable({
    highWaterMark: 1,
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk);
      queueMicrotask(done);
    },
  });
  assert.equal(await collect(tee(writable, chunks(5))), 5 * 1024);
  assert.equal(Buffer.concat(written).length, 5 * 1024);
});

test('tee() throws what the stream failed with between two writes', async () => {
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  let writes = 0;
  const writable = new Writable({
    highWaterMark: 1 << 20,
    write: (_chunk, _encoding, done) => {
      writes += 1;
      done(writes === 2 ? full : null);
    },
  });
  writable.on('error', () => undefined);
  await assert.rejects(collect(tee(writable, chunks(10))), { code: 'ENOSPC' });
});
