import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { temporaryDirectory } from '../../../test/support/files.ts';
import { openCidFile } from './cid-file.ts';

test('openCidFile() leaves the file with the ID, and none without', async (t) => {
  const path = join(temporaryDirectory(t), 'cid');
  {
    await using _unused = await openCidFile(path);
    assert.ok(existsSync(path));
  }
  assert.ok(!existsSync(path));
  {
    await using file = await openCidFile(path);
    await file?.write('abc');
  }
  assert.equal(readFileSync(path, 'utf8'), 'abc');
});

test('openCidFile() refuses a file that is there, and a path that cannot be', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'cid');
  await using _file = await openCidFile(path);
  await assert.rejects(openCidFile(path), {
    code: 'conflict',
    message: `container ID file found, make sure the other container isn't running or delete ${path}`,
  });
  const nowhere = join(directory, 'nosuch/cid');
  await assert.rejects(openCidFile(nowhere), {
    code: 'invalidArgument',
    message: `failed to create the container ID file: open ${nowhere}: no such file or directory`,
  });
  assert.equal(await openCidFile(''), undefined);
});
