import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decompress } from './decompress.ts';

const plain = Buffer.concat([randomBytes(300_000), Buffer.alloc(700_000)]);
const forms = {
  none: plain,
  gzip: gzipSync(plain),
  zstd: zstdCompressSync(plain),
  bzip2: execFileSync('bzip2', ['-c'], { input: plain, maxBuffer: 1 << 24 }),
  xz: execFileSync('xz', ['-c'], { input: plain, maxBuffer: 1 << 24 }),
};

function chunked(bytes: Buffer, size: number): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    })(),
    { objectMode: false },
  );
}

for (const [name, bytes] of Object.entries(forms)) {
  test(`decompress() reads ${name} in large and tiny chunks`, async () => {
    for (const size of [65_536, bytes.length]) {
      const { stream, compression } = await decompress(chunked(bytes, size));
      assert.equal(compression, name);
      assert.ok(plain.equals(await buffer(stream)));
    }
    const short = bytes.subarray(0, 40);
    const { compression } = await decompress(chunked(short, 1));
    assert.equal(compression, name);
  });

  if (name !== 'none') {
    test(`decompress() ends cut off ${name} data with an error`, async () => {
      const { stream } = await decompress(chunked(bytes.subarray(0, bytes.length / 2), 65_536));
      await assert.rejects(buffer(stream), { code: 'invalidArgument' });
    });
  }
}

test('decompress() gives streams shorter than any magic as they are', async () => {
  for (const text of ['', 'a', 'abcde']) {
    const { stream } = await decompress(chunked(Buffer.from(text), 1));
    assert.equal((await buffer(stream)).toString(), text);
  }
});

test('decompress() rejects with the error of its source', async () => {
  const source = new Readable({ read: () => undefined });
  setImmediate(() => source.destroy(new Error('gone')));
  await assert.rejects(decompress(source), /gone/);
});

test('decompress() rejects when its source is closed early, before or while it waits', async () => {
  const closed = new Readable({ read: () => undefined });
  closed.destroy();
  await assert.rejects(decompress(closed), { code: 'cancelled' });
  const closing = new Readable({ read: () => undefined });
  setImmediate(() => closing.destroy());
  await assert.rejects(decompress(closing), { code: 'cancelled' });
});
