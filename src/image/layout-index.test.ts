import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { importBase, openImageStore } from '../../test/support/image-store.ts';

test('what a full disk kept from index.json is in it at the end', async (t) => {
  const store = await openImageStore(t, { diskBytes: 1 << 20 });
  await importBase(store, 'box');
  const ballast = join(store.root, 'ballast');
  for (const bytes of [1 << 20, 1 << 12]) fill(ballast, bytes);
  // Longer than the file waits for more changes.
  await sleep(700);
  rmSync(ballast);
  await store.images[Symbol.asyncDispose]();
  assert.match(readFileSync(join(store.root, 'content/index.json'), 'utf8'), /"box:latest"/);
});

function fill(file: string, bytes: number): void {
  assert.throws(
    () => {
      for (;;) writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
    },
    { code: 'ENOSPC' },
  );
}
