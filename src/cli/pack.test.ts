import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bufferOf, byteString, readTar } from '../lib/tar/index.ts';
import { packTree } from './pack.ts';

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-pack-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('packTree() keeps the bytes of names and link targets that are not UTF-8', async (t) => {
  const directory = scratch(t);
  const pathOf = (name: string) => bufferOf(`${byteString(directory)}/${name}`);
  writeFileSync(pathOf('caf\xe9'), 'x');
  writeFileSync(pathOf('skip\xe9'), 'x');
  writeFileSync(join(directory, 'café'), 'x');
  symlinkSync(bufferOf('caf\xe9'), pathOf('link'));
  const entries: (readonly [string, string])[] = [];
  const tar = packTree(directory, { name: 'té', ignores: (path) => path === 'skip\ufffd' });
  for await (const part of readTar(tar)) {
    if (part.kind === 'entry') entries.push([part.entry.path, part.entry.linkPath]);
  }
  assert.deepEqual(entries, [
    ['t\xc3\xa9/', ''],
    ['t\xc3\xa9/caf\xc3\xa9', ''],
    ['t\xc3\xa9/caf\xe9', ''],
    ['t\xc3\xa9/link', 'caf\xe9'],
  ]);
});

test('packTree() leaves out a file that goes meanwhile', async (t) => {
  const directory = scratch(t);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(directory, name), '');
  truncateSync(join(directory, 'a'), 8 << 20);
  const names: string[] = [];
  for await (const part of readTar(packTree(directory, { name: '' }))) {
    if (part.kind !== 'entry') continue;
    names.push(part.entry.path);
    if (names.length === 1) unlinkSync(join(directory, 'b'));
  }
  assert.deepEqual(names, ['a', 'c']);
});
