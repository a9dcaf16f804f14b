import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  archiveOf,
  build,
  type Files,
  fails,
  inImage,
  type Member,
  openBench,
} from '../../test/support/build-bench.ts';
import { byteString } from '../lib/tar/index.ts';
import type { ImageId } from '../oci/index.ts';

test('COPY places files as Docker does', async (t) => {
  const bench = await openBench(t);
  const directory = (path: string, mode: number) => ({
    path: byteString(path),
    type: 'directory' as const,
    mode,
  });
  const files: Files = {
    Dockerfile: `FROM busybox
WORKDIR /w/deep
COPY a.txt renamed
COPY a.txt b.txt dir/
COPY src /tmp
COPY src new
COPY --chown=web:staff --chmod=u=rwX,go= src /owned
COPY a.txt /lib
COPY *.txt /glob/
COPY <<one <<"two" /inline/
\${HOSTNAME:-unset} 'quoted'
one
$HOME
two
COPY --parents src/sub/c /kept/
`,
    'a.txt': 'a',
    'b.txt': 'b',
    src: directory('src', 0o700),
    'src/sub': directory('src/sub', 0o711),
    'src/sub/c': 'c',
    'src/link': { path: byteString('src/link'), type: 'symlink', linkPath: byteString('sub/c') },
    'src/owned': { path: byteString('src/owned'), type: 'file', uid: 7, gid: 8, mode: 0o600, text: 'x' },
  };
  const { id } = await build(bench, files);
  await inImage(bench, id, (root) => {
    const mode = (path: string) => (lstatSync(join(root, path)).mode & 0o7777).toString(8);
    const text = (path: string) => readFileSync(join(root, path), 'utf8');
    assert.equal(text('w/deep/renamed'), 'a');
    assert.equal(text('w/deep/dir/b.txt'), 'b');
    assert.equal(text('tmp/sub/c'), 'c');
    assert.equal(mode('tmp'), '755');
    assert.equal(mode('w/deep/new'), '700');
    assert.equal(mode('w/deep/new/sub'), '711');
    assert.equal(readlinkSync(join(root, 'w/deep/new/link')), 'sub/c');
    assert.equal(lstatSync(join(root, 'w/deep/new/owned')).uid, 0);
    const { uid, gid } = lstatSync(join(root, 'owned/sub/c'));
    assert.deepEqual([uid, gid, mode('owned/sub/c'), mode('owned/sub')], [33, 50, '600', '700']);
    assert.equal(text('usr/lib/a.txt'), 'a');
    assert.ok(lstatSync(join(root, 'lib')).isSymbolicLink());
    assert.equal(mode('usr/lib'), '750');
    assert.deepEqual(readdirSync(join(root, 'glob')), ['a.txt', 'b.txt']);
    assert.equal(text('inline/one'), "unset 'quoted'\n");
    assert.equal(text('inline/two'), '$HOME\n');
    assert.equal(text('kept/src/sub/c'), 'c');
  });
});

test('what COPY and ADD put into a directory that is there changes its directories too, but not itself', async (t) => {
  const bench = await openBench(t);
  const directory = (path: string, mode: number, uid = 0) => ({
    path: byteString(path),
    type: 'directory' as const,
    mode,
    uid,
    mtimeNs: 1_600_000_000_000_000_000n,
  });
  const archive = archiveOf([
    { path: byteString('late/f'), type: 'file', text: 'before its directory' },
    directory('late/', 0o710, 8),
    directory('data/', 0o711, 9),
  ]);
  const files: Files = {
    Dockerfile: `FROM busybox
RUN busybox mkdir -p /app/data /copy/data /add/data && chmod 701 /copy
COPY tree /app
COPY --chown=web:staff --chmod=750 tree other /copy/
ADD t.tar /add/
`,
    tree: directory('tree', 0o755),
    'tree/data': directory('tree/data', 0o700),
    'tree/data/f': 'f',
    other: directory('other', 0o755),
    'other/new': directory('other/new', 0o700),
    't.tar': { path: byteString('t.tar'), type: 'file', text: archive },
  };
  const { id } = await build(bench, files);
  await inImage(bench, id, (root) => {
    const told = (path: string) => {
      const { mode, uid, gid, mtimeMs } = lstatSync(join(root, path));
      return [(mode & 0o7777).toString(8), uid, gid, mtimeMs === 1_600_000_000_000];
    };
    assert.deepEqual(told('app'), ['755', 0, 0, false]);
    assert.deepEqual(told('app/data'), ['700', 0, 0, true]);
    assert.deepEqual(told('copy'), ['701', 0, 0, false]);
    assert.deepEqual(told('copy/data'), ['750', 33, 50, true]);
    assert.deepEqual(told('copy/new'), ['750', 33, 50, true]);
    assert.deepEqual(told('add/data'), ['711', 9, 0, true]);
    assert.deepEqual(told('add/late'), ['710', 8, 0, true]);
  });
});

test('--chown without a group takes the group of the same name, of a number the same number', async (t) => {
  const bench = await openBench(t);
  const files = (chown: string): Files => ({
    Dockerfile: `FROM busybox\nCOPY --chown=${chown} f /f\n`,
    f: '',
  });
  const { id } = await build(bench, {
    f: '',
    Dockerfile: `FROM busybox
RUN echo mail:x:8:12::/:/bin/sh >>/etc/passwd && echo mail:x:20: >>/etc/group
COPY --chown=mail f /name
COPY --chown=7 f /number
`,
  });
  await inImage(bench, id, (root) => {
    const ids = ['name', 'number']
      .map((name) => lstatSync(join(root, name)))
      .map(({ uid, gid }) => [uid, gid]);
    assert.deepEqual(ids, [
      [8, 20],
      [7, 7],
    ]);
  });
  const error = await fails(bench, files('web'));
  assert.equal(
    error.message,
    "COPY failed: unable to convert uid/gid chown string to host mapping: can't find gid for group web: no such group: web",
  );
});

test('--exclude keeps out sources that are files, as those in directories', async (t) => {
  const bench = await openBench(t);
  const files: Files = {
    Dockerfile: `FROM busybox
COPY --exclude=*.txt --exclude=!home.txt hom* /glob/
COPY --parents --exclude=dir/sub/c --exclude=dir/a.txt dir/a.txt dir/b.txt dir/./sub dir/sub /parents/
`,
    'home.md': '',
    'home.txt': '',
    'homer.txt': '',
    'dir/a.txt': '',
    'dir/b.txt': '',
    'dir/sub/c': '',
    'dir/sub/d': '',
  };
  const { id } = await build(bench, files);
  await inImage(bench, id, (root) => {
    assert.deepEqual(readdirSync(join(root, 'glob')), ['home.md', 'home.txt']);
    const all = readdirSync(join(root, 'parents'), { recursive: true }).sort();
    assert.deepEqual(all, ['dir', 'dir/b.txt', 'dir/sub', 'dir/sub/d', 'sub', 'sub/c', 'sub/d']);
  });
  const again = await build(bench, { ...files, 'homer.txt': 'changed' });
  assert.equal(again.text.match(/Using cache/g)?.length, 2);
  const error = await fails(bench, { ...files, Dockerfile: 'FROM busybox\nCOPY --exclude=h* home.md /\n' });
  assert.equal(error.message, 'COPY failed: no source files were specified');
});

test('ADD unpacks a local archive into place and copies other files', async (t) => {
  const bench = await openBench(t);
  const archive = archiveOf([
    { path: byteString('./'), type: 'directory' },
    { path: byteString('sub/f'), type: 'file', text: 'in archive', uid: 5 },
    { path: byteString('lib/more'), type: 'file', text: 'lib' },
    { path: byteString('hard'), type: 'link', linkPath: byteString('sub/f') },
  ]);
  const files: Files = {
    Dockerfile: 'FROM busybox\nADD t.tgz /\nADD plain /plain/\nADD --unpack=false t.tgz /kept.tgz\n',
    't.tgz': { path: byteString('t.tgz'), type: 'file', text: gzipSync(archive) },
    plain: 'p',
  };
  const { id } = await build(bench, files);
  await inImage(bench, id, (root) => {
    assert.equal(readFileSync(join(root, 'sub/f'), 'utf8'), 'in archive');
    assert.equal(lstatSync(join(root, 'sub/f')).nlink, 2);
    assert.equal(lstatSync(join(root, 'sub/f')).uid, 5);
    assert.equal(readFileSync(join(root, 'usr/lib/more'), 'utf8'), 'lib');
    assert.ok(lstatSync(join(root, 'lib')).isSymbolicLink());
    assert.equal(readFileSync(join(root, 'plain/plain'), 'utf8'), 'p');
    assert.ok(lstatSync(join(root, 'kept.tgz')).isFile());
  });
});

test('COPY keeps the names of one file together, from a context and from an image', async (t) => {
  const bench = await openBench(t);
  const link = (path: string, linkPath: string) => ({
    path: byteString(path),
    type: 'link' as const,
    linkPath: byteString(linkPath),
  });
  const Dockerfile = `FROM busybox AS first
COPY . /all/
FROM busybox
COPY --from=first /all /again/
`;
  const files: Files = {
    Dockerfile,
    'tree/a': { path: byteString('tree/a'), type: 'file', text: 'content', mode: 0o600 },
    'tree/b': link('tree/b', 'tree/a'),
    c: link('c', 'tree/b'),
    soft: { path: byteString('soft'), type: 'symlink', linkPath: byteString('c') },
    soft2: link('soft2', 'soft'),
  };
  const look = async (id: ImageId, root: string) =>
    inImage(bench, id, (image) =>
      ['tree/a', 'tree/b', 'c', 'soft', 'soft2'].map((name) => lstatSync(join(image, root, name)).nlink),
    );
  const first = await build(bench, files, { target: 'first' });
  assert.deepEqual(await look(first.id, 'all'), [3, 3, 3, 2, 2]);
  assert.deepEqual(await look((await build(bench, files)).id, 'again'), [3, 3, 3, 2, 2]);
  const copies: Files = {
    ...files,
    c: { path: byteString('c'), type: 'file', text: 'content', mode: 0o600 },
  };
  const other = await build(bench, copies, { target: 'first' });
  assert.doesNotMatch(other.text, /Using cache/);
  assert.deepEqual(await look(other.id, 'all'), [2, 2, 1, 2, 2]);
});

test('a hard link whose first name another source covers is one of the rest', async (t) => {
  const bench = await openBench(t);
  const files: Files = {
    Dockerfile: 'FROM busybox\nCOPY one two /all/\n',
    'one/a': 'one',
    'one/b': { path: byteString('one/b'), type: 'link', linkPath: byteString('one/a') },
    'one/c': { path: byteString('one/c'), type: 'link', linkPath: byteString('one/a') },
    'two/a': 'two',
  };
  const { id } = await build(bench, files);
  await inImage(bench, id, (root) => {
    const text = (name: string) => readFileSync(join(root, 'all', name), 'utf8');
    assert.deepEqual([text('a'), text('b'), text('c')], ['two', 'one', 'one']);
    assert.equal(lstatSync(join(root, 'all/c')).nlink, 2);
  });
});

test('what .dockerignore names but was sent can be copied, except for it and the Dockerfile', async (t) => {
  const bench = await openBench(t);
  const files = {
    Dockerfile: 'FROM busybox\nCOPY . /ctx/\nCOPY target/app /\n',
    '.dockerignore': '*\n',
    'target/app': '1',
    'target/Dockerfile': '2',
    other: '3',
  };
  const { id } = await build(bench, files);
  await inImage(bench, id, (root) => {
    assert.equal(readFileSync(join(root, 'app'), 'utf8'), '1');
    assert.deepEqual(readdirSync(join(root, 'ctx')), ['other', 'target']);
    assert.deepEqual(readdirSync(join(root, 'ctx/target')), ['Dockerfile', 'app']);
  });
  const all = await build(bench, { ...files, '.dockerignore': 'nothing\n' });
  await inImage(bench, all.id, (root) => {
    assert.deepEqual(readdirSync(join(root, 'ctx')), ['.dockerignore', 'Dockerfile', 'other', 'target']);
  });
});

test("a Dockerfile's own ignore file keeps files out of COPY, and goes before .dockerignore", async (t) => {
  const bench = await openBench(t);
  const files = {
    D: 'FROM busybox\nCOPY . /ctx/\n',
    'D.dockerignore': '*\n!keep\nkeep/not\n',
    '.dockerignore': 'keep\n',
    'keep/yes': '1',
    'keep/not': '2',
    other: '3',
  };
  const { id } = await build(bench, files, { dockerfile: 'D' });
  await inImage(bench, id, (root) => {
    assert.deepEqual(readdirSync(join(root, 'ctx')), ['keep']);
    assert.deepEqual(readdirSync(join(root, 'ctx/keep')), ['yes']);
  });
  const error = await fails(bench, { ...files, D: 'FROM busybox\nCOPY other /\n' }, { dockerfile: 'D' });
  assert.match(error.message, /excluded by \.dockerignore/);
});

test('ADD fetches a URL: mode 0600, its name and time, checksum checked', async (t) => {
  const bench = await openBench(t);
  const server = createServer((request, response) => {
    response.statusCode = request.url?.startsWith('/file') === true ? 200 : 404;
    response.setHeader('last-modified', 'Tue, 14 Nov 2023 22:13:20 GMT');
    const named = /^\/file\/named\/(.*)\/$/.exec(request.url ?? '')?.[1];
    if (named !== undefined) response.setHeader('content-disposition', decodeURIComponent(named));
    response.end('fetched');
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const url = `http://127.0.0.1:${address.port}`;
  const good = hash('sha256', 'fetched', 'hex');
  const Dockerfile = `FROM busybox\nADD --checksum=sha256:${good} ${url}/file.txt?x=1 /dir/\nADD ${url}/file /as\n`;
  const { id } = await build(bench, { Dockerfile });
  await inImage(bench, id, (root) => {
    const stats = lstatSync(join(root, 'dir/file.txt'));
    assert.equal(stats.mode & 0o7777, 0o600);
    assert.equal(stats.mtimeMs, 1_700_000_000_000);
    assert.equal(readFileSync(join(root, 'as'), 'utf8'), 'fetched');
  });
  const expanded = (sum: string) => ({
    Dockerfile: `FROM busybox\nARG SUM=${sum}\nADD --checksum=$SUM ${url}/file /x\n`,
  });
  await build(bench, expanded(`sha256:${good}`));
  await build(bench, expanded(''));
  assert.match((await fails(bench, expanded('sha256:00'))).message, /: sha256:00$/);
  const headers = [
    'attachment; filename="a; \\"b\\".txt"',
    'inline; size=3; FileName = plain.txt',
    "attachment; filename=other; filename*=UTF-8''w%C3%A9%20x",
    'attachment; filename="../../up.txt"',
  ].map((header) => `ADD ${url}/file/named/${encodeURIComponent(header).replaceAll("'", '%27')}/ /named/`);
  const names = ['FROM busybox', `ADD ${url}/file/w%20%C3%A9 /named/`, ...headers, ''];
  const named = await build(bench, { Dockerfile: names.join('\n') });
  await inImage(bench, named.id, (root) => {
    const found = readdirSync(join(root, 'named')).sort();
    assert.deepEqual(found, ['a; "b".txt', 'plain.txt', 'up.txt', 'w é', 'wé x']);
  });
  for (const path of ['/file/', '/file/named/attachment/', '/file/named/attachment;%20filename=x%2F/']) {
    const nameless = await fails(bench, { Dockerfile: `FROM busybox\nADD ${url}${path} /dir/\n` });
    assert.equal(nameless.message, `ADD failed: cannot determine filename for source ${url}${path}`);
    await build(bench, { Dockerfile: `FROM busybox\nADD ${url}${path} /whole\n` });
  }
  const bad = await fails(bench, { Dockerfile: `FROM busybox\nADD --checksum=sha256:00 ${url}/file /x\n` });
  assert.match(bad.message, /^ADD failed: digest mismatch sha256:/);
  const missing = await fails(bench, { Dockerfile: `FROM busybox\nADD ${url}/nope /x\n` });
  assert.match(missing.message, /^ADD failed: failed to GET .*nope with status 404 Not Found/);
});

test('ADD does not unpack a downloaded archive, whatever stands beside it or was added before', async (t) => {
  const bench = await openBench(t);
  const archive = archiveOf([{ path: byteString('inside'), type: 'file', text: 'x' }]);
  const server = createServer((_request, response) => response.end(archive));
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const remote = `http://127.0.0.1:${address.port}/download`;
  const member = (path: string) =>
    ({ path: byteString(path), type: 'file', mode: 0o600, text: archive }) as const;
  const local = { 'local.tar': member('local.tar'), download: member('download') };
  const added = async (words: string) => {
    const { id } = await build(bench, { ...local, Dockerfile: `FROM busybox\nADD ${words} /d/\n` });
    return inImage(bench, id, (root) => readdirSync(join(root, 'd')).sort());
  };
  assert.deepEqual(await added(`${remote} local.tar`), ['download', 'inside']);
  assert.deepEqual(await added(remote), ['download']);
  assert.deepEqual(await added('download'), ['inside']);
  assert.deepEqual(await added(`--unpack ${remote}`), ['inside']);
});

test('hostile contexts are refused with the name, and nothing stays', async (t) => {
  const bench = await openBench(t);
  const member = (path: string, more: Partial<Member> = {}): Files => ({
    Dockerfile: 'FROM busybox\nCOPY . /c/\n',
    [path]: { path: byteString(path), type: 'file', text: 'x', ...more },
  });
  const cases: readonly (readonly [Files, RegExp])[] = [
    [member('../out'), /"\.\.\/out" leaves it/],
    [member('hard', { type: 'link', text: '', linkPath: byteString('../../etc/passwd') }), /"hard" links to/],
    [member('dir/.wh.passwd'), /\.wh\./],
  ];
  for (const [files, message] of cases) assert.match((await fails(bench, files)).message, message);
  const escaping = {
    path: byteString('link'),
    type: 'symlink',
    linkPath: byteString('/etc/hostname'),
  } as const;
  const error = await fails(bench, { Dockerfile: 'FROM busybox\nCOPY link /c\n', link: escaping });
  assert.match(error.message, /stat link: file does not exist/);
  assert.equal(bench.leases(), 0);
});
