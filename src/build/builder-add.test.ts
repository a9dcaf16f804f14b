import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
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

test('ADD takes the coding off a download that it asked for, and no other', async (t) => {
  const bench = await openBench(t);
  const archive = gzipSync(archiveOf([{ path: byteString('f'), type: 'file' }]));
  const server = createServer((request, response) => {
    assert.equal(request.headers['accept-encoding'], 'gzip');
    if (request.url === '/moved') {
      response.writeHead(302, { location: '/plain' }).end();
    } else if (request.url === '/plain') {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('plain text'));
    } else {
      response.writeHead(200, { 'content-encoding': 'x-gzip' }).end(archive);
    }
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const digest = hash('sha256', archive, 'hex');
  const { id } = await build(bench, {
    Dockerfile: `FROM busybox\nADD --checksum=sha256:${digest} ${url}/a.tar.gz /\nADD ${url}/moved /\n`,
  });
  await inImage(bench, id, (image) => {
    assert.ok(readFileSync(join(image, 'a.tar.gz')).equals(archive));
    assert.equal(readFileSync(join(image, 'moved'), 'utf8'), 'plain text');
  });
});
