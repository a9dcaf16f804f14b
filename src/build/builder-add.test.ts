import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { archiveOf, build, fails, inImage, openBench } from '../../test/support/build-bench.ts';
import { temporaryDirectory } from '../../test/support/files.ts';
import { byteString } from '../lib/tar/index.ts';

test('ADD unpacks sparse files into place', async (t) => {
  const bench = await openBench(t);
  const root = temporaryDirectory(t);
  mkdirSync(join(root, 'data'));
  const disk = join(root, 'data/disk.img');
  writeFileSync(disk, '');
  truncateSync(disk, 1 << 20);
  appendFileSync(disk, 'tail');
  const content = readFileSync(disk);
  for (const format of ['posix', 'gnu']) {
    const text = execFileSync('tar', ['-C', root, `--format=${format}`, '-cSf', '-', 'data/disk.img']);
    assert.ok(text.length < content.length);
    const { id } = await build(bench, {
      Dockerfile: 'FROM busybox\nADD disk.tar /opt/\n',
      'disk.tar': { path: byteString('disk.tar'), type: 'file', text },
    });
    await inImage(bench, id, (image) => {
      assert.ok(readFileSync(join(image, 'opt/data/disk.img')).equals(content), format);
      assert.ok(!existsSync(join(image, 'data')), format);
    });
  }
});

test('an archive counts as a source: more than one want a directory', async (t) => {
  const bench = await openBench(t);
  const archive = (name: string) => ({
    path: byteString(name),
    type: 'file' as const,
    text: archiveOf([{ path: byteString('f'), type: 'file' }]),
  });
  const files = { 'a.tar': archive('a.tar'), 'b.tar': archive('b.tar'), plain: 'p' };
  for (const sources of ['a.tar plain', '*.tar']) {
    const { message } = await fails(bench, { ...files, Dockerfile: `FROM busybox\nADD ${sources} /new\n` });
    assert.equal(
      message,
      'ADD failed: When using ADD with more than one source file, the destination must be a directory and end with a /',
    );
  }
});
