import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { mount, unmount } from '../../lib/native.ts';
import { removeTree } from './state.ts';

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
