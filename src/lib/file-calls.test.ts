import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { separateTrees } from './file-calls.ts';
import { mount, unmount } from './native.ts';
import { run } from './run.ts';

test('separateTrees() has ext4 spread the trees of a directory, and lets other file systems be', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-separate-'));
  const mountPoint = join(directory, 'mnt');
  mkdirSync(mountPoint);
  t.after(() => {
    unmount(mountPoint);
    unmount(mountPoint);
    rmSync(directory, { recursive: true });
  });
  const disk = join(directory, 'disk');
  writeFileSync(disk, '');
  // Large, so that there are many groups with more room than the average: a tree goes only into such.
  truncateSync(disk, 64 * 2 ** 30);
  await run('mkfs.ext4', ['-q', disk]);
  await run('mount', ['-o', 'loop', disk, mountPoint]);
  const beside = join(mountPoint, 'beside');
  const apart = join(mountPoint, 'apart');
  for (const path of [beside, apart]) mkdirSync(path);
  separateTrees(apart);
  separateTrees(apart);
  const groupsBelow = (path: string) => {
    const groups = Array.from({ length: 16 }, (_, index) => {
      const tree = join(path, `tree-${index}`);
      mkdirSync(tree);
      return statSync(tree).ino >> 17; // Sixteen groups of 8192 inodes are kept together.
    });
    return new Set(groups).size;
  };
  assert.equal(groupsBelow(beside), 1);
  assert.ok(groupsBelow(apart) > 1);

  mount({ source: 'none', target: mountPoint, type: 'tmpfs' });
  separateTrees(mountPoint);
});
