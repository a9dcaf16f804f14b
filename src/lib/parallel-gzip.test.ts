import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parallelGzip } from './parallel-gzip.ts';
import { run } from './run.ts';

async function compressed(bytes: Buffer, piece: number): Promise<Buffer> {
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  };
  return buffer(Readable.from(parallelGzip(pieces())));
}

test('parallelGzip() gives one stream, the same whatever pieces it gets', async () => {
  for (const size of [0, 1, (2 << 20) - 1, 2 << 20, (5 << 20) + 17]) {
    const bytes = Buffer.concat([randomBytes(size >> 1), Buffer.alloc(size - (size >> 1))]);
    const result = await compressed(bytes, 100_000);
    assert.ok(gunzipSync(result).equals(bytes), String(size));
    assert.ok(result.equals(await compressed(bytes, 3_000_001)), String(size));
  }
});

test('parallelGzip() is read by gzip', async () => {
  const bytes = Buffer.from('line\n'.repeat(1_000_000));
  const result = await run('gzip', ['-dc'], { input: await compressed(bytes, 70_000) });
  assert.equal(result.stdout, bytes.toString());
});
