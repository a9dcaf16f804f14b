import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { openNameless } from './nameless-file.ts';
import { writeAll } from './write-all.ts';

test('openNameless() gives a file that is in no directory', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-nameless-'));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  await using file = await openNameless(directory);
  await writeAll(file, Buffer.from('world'), 6);
  await writeAll(file, Buffer.from('hello '), 0);
  assert.deepEqual(readdirSync(directory), []);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0);
  assert.equal(buffer.toString('utf8', 0, bytesRead), 'hello world');
});
