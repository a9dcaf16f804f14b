import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { mount, unmount } from './native.ts';
import { removeDirectory, removeTree } from './remove-directory.ts';

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

test('removeTree() takes a tree away, and says by its name what is in its way', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'gantry-tree-'));
  const blocked = join(path, 'blocked');
  mkdirSync(blocked);
  writeFileSync(join(path, 'file'), '');
  mount({ source: 'none', target: blocked, type: 'tmpfs' });
  t.after(() => {
    unmount(blocked);
    rmSync(path, { recursive: true, force: true });
  });
  await assert.rejects(removeTree(path), { code: 'EBUSY' });
  unmount(blocked);
  await removeTree(path);
  assert.equal(existsSync(path), false);
  await removeTree(path);
});
