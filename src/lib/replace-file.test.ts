import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { mount, unmount } from './native.ts';
import { overwriteFile, replaceFile } from './replace-file.ts';

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-replace-'));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  return directory;
}

test('overwriteFile() keeps the file and changes what is in it, to longer and to shorter', async (t) => {
  const path = join(directoryOf(t), 'file');
  writeFileSync(path, 'first\n');
  const { ino } = statSync(path);
  for (const content of ['a longer line, höher\n', 'short\n', '']) {
    await overwriteFile(path, content);
    assert.equal(readFileSync(path, 'utf8'), content);
    assert.equal(statSync(path).ino, ino);
  }
  await assert.rejects(overwriteFile(`${path}-other`, 'x'), { code: 'ENOENT' });
});

test('on a full disk replaceFile() leaves the old file, overwriteFile() a file of the same blocks', async (t) => {
  const directory = directoryOf(t);
  mount({ source: 'tmpfs', target: directory, type: 'tmpfs', data: 'size=8k' });
  try {
    const path = join(directory, 'file');
    writeFileSync(path, 'first\n');
    writeFileSync(join(directory, 'ballast'), Buffer.alloc(4096));
    await assert.rejects(replaceFile(path, 'second\n'), { code: 'ENOSPC' });
    assert.equal(readFileSync(path, 'utf8'), 'first\n');
    assert.deepEqual(readdirSync(directory).sort(), ['ballast', 'file']);
    await overwriteFile(path, 'the second\n');
    assert.equal(readFileSync(path, 'utf8'), 'the second\n');
  } finally {
    unmount(directory);
  }
});
