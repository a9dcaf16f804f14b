import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import test from 'node:test';
import { HashingWritable } from './hashing-writable.ts';

test('HashingWritable writes from a position on, and hashes what it wrote', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-hashing-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  await using file = await open(join(directory, 'file'), 'w+');
  await file.write('begun ');
  const hash = createHash('sha256');
  const writable = new HashingWritable(file.fd, { hash, position: 6, highWaterMark: 1 << 20 });
  // Several at once go out by one call.
  await pipeline([Buffer.from('and '), Buffer.from('gone '), Buffer.from('on')], writable);
  assert.equal(writable.position, 17);
  assert.equal((await file.read(Buffer.alloc(17), 0, 17, 0)).buffer.toString(), 'begun and gone on');
  assert.equal(hash.digest('hex'), createHash('sha256').update('and gone on').digest('hex'));
});
