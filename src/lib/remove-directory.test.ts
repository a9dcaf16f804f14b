import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { removeDirectory } from './remove-directory.ts';

test('removeDirectory() removes little and much, and nothing that a link leads to', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'gantry-test-remove-'));
  const kept = join(parent, 'kept');
  mkdirSync(kept);
  writeFileSync(join(kept, 'file'), '');
  for (const bytes of [10, 5 << 20]) {
    const path = join(parent, String(bytes));
    mkdirSync(path);
    writeFileSync(join(path, 'file'), '');
    truncateSync(join(path, 'file'), bytes);
    symlinkSync(kept, join(path, 'link'));
    await removeDirectory(path);
    assert.equal(existsSync(path), false);
  }
  assert.ok(existsSync(join(kept, 'file')));
  mkdirSync(join(parent, 'nested', 'below'), { recursive: true });
  await removeDirectory(join(parent, 'nested'));
  assert.equal(existsSync(join(parent, 'nested')), false);
  await removeDirectory(join(parent, 'absent'));
  await removeDirectory(parent);
});
