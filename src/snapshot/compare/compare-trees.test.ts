import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { openImageStore, streamOf, tarOf } from '../../../test/support/image-store.ts';
import { compareTrees } from './compare-trees.ts';

type Files = Readonly<Record<string, string>>;

function treeOf(t: TestContext, files: Files): string {
  const root = mkdtempSync(join(tmpdir(), 'gantry-tree-'));
  t.after(() => {
    rmSync(root, { recursive: true });
  });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const lines = (changes: Awaited<ReturnType<typeof compareTrees>>) =>
  changes.map(({ kind, path, size, before }) => `${kind} ${path} ${size} ${before}`);

test('compareTrees() goes by content, not by time', async (t) => {
  const before = treeOf(t, { same: 'x', grows: 'a', 'gone/one': '12', 'gone/two': '345', turns: 'file' });
  const after = treeOf(t, { same: 'x', grows: 'abc', 'new/file': '7', 'turns/into': 'directory' });
  assert.deepEqual(lines(await compareTrees({ before, after })), [
    'removed /gone 0 5',
    'changed /grows 3 1',
    'added /new 0 0',
    'added /new/file 1 0',
    'changed /turns 0 4',
    'added /turns/into 9 0',
  ]);
  assert.deepEqual(await compareTrees({ before, after: before }), []);
  assert.equal((await compareTrees({ before: undefined, after })).length, 6);
  assert.equal((await compareTrees({ before, after: undefined })).length, 4);
});

test('compareTrees() sees modes, and where links lead', async (t) => {
  const [before, after] = [treeOf(t, { tool: 'x' }), treeOf(t, { tool: 'x' })];
  chmodSync(join(after, 'tool'), 0o755);
  symlinkSync('a', join(before, 'link'));
  symlinkSync('b', join(after, 'link'));
  assert.deepEqual(lines(await compareTrees({ before, after })), ['changed /link 0 0', 'changed /tool 1 1']);
});

test('compareTrees() ends when told to', async (t) => {
  const root = treeOf(t, Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`f${n}`, ''])));
  const signal = AbortSignal.abort();
  await assert.rejects(compareTrees({ before: undefined, after: root, signal }), { name: 'AbortError' });
});

test('layerChanges() tells what a layer hides: replaced, deleted, and in opaque directories', async (t) => {
  const { layers, snapshots } = await openImageStore(t);
  const base = await layers.apply(
    streamOf(tarOf({ 'keep/a': '1', 'drop/b': '22', 'drop/deep/c': '333', 'swap/d': '4444', file: '55555' })),
    undefined,
  );
  const files = { file: '55555', 'swap/.wh..wh..opq': '', 'swap/e': '6', '.wh.drop': '', '.wh.never': '' };
  const { chainId } = await layers.apply(streamOf(tarOf(files)), base.chainId);
  assert.deepEqual(lines(await snapshots.layerChanges(chainId)), [
    'removed /drop 0 5',
    'changed /file 5 5',
    'removed /swap/d 0 4',
    'added /swap/e 1 0',
  ]);
  assert.deepEqual(
    (await snapshots.layerChanges(base.chainId)).map(({ kind }) => kind),
    Array.from({ length: 9 }, () => 'added'),
  );
});
