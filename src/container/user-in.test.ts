import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { isCode } from '../errors/index.ts';
import { userIn } from './user-in.ts';

const refused = (error: unknown) => isCode(error, 'invalidArgument');

function tree(t: TestContext): { readonly root: string; readonly passwd: string } {
  const root = mkdtempSync(join(tmpdir(), 'gantry-test-user-'));
  t.after(() => {
    rmSync(root, { recursive: true });
  });
  mkdirSync(join(root, 'etc'));
  return { root, passwd: join(root, 'etc/passwd') };
}

test('userIn() reads the files of the tree, which need not be there', (t) => {
  const { root, passwd } = tree(t);
  assert.deepEqual(userIn(root, '7'), { uid: 7, gid: 0, additionalGids: [0] });
  writeFileSync(passwd, 'me:x:5:6::/:/bin/sh\n');
  assert.deepEqual(userIn(root, 'me'), { uid: 5, gid: 6, additionalGids: [6] });
});

test('userIn() waits for no writer of a fifo', (t) => {
  const { root, passwd } = tree(t);
  execFileSync('mkfifo', [passwd]);
  assert.throws(() => userIn(root, ''), refused);
});

test('userIn() takes /dev/null for an empty file', (t) => {
  const { root, passwd } = tree(t);
  execFileSync('mknod', [passwd, 'c', '1', '3']);
  assert.deepEqual(userIn(root, '7'), { uid: 7, gid: 0, additionalGids: [0] });
});

test('userIn() reads no device and no file that is too large', (t) => {
  const { root, passwd } = tree(t);
  execFileSync('mknod', [passwd, 'c', '1', '5']);
  assert.throws(() => userIn(root, ''), refused);
  rmSync(passwd);
  writeFileSync(passwd, '');
  truncateSync(passwd, 1 << 30);
  assert.throws(() => userIn(root, ''), refused);
});
