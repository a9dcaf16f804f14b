import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { openInRoot } from '../../lib/open-in-root.ts';
import { resolveInRoot } from '../../lib/root-path.ts';
import {
  byteString,
  encodeTarEntry,
  type NewTarEntry,
  paddingOf,
  tarEnd,
  xattrKey,
} from '../../lib/tar/index.ts';
import { getXattr } from '../../lib/xattr.ts';
import { archivePath, statPath, unpackInto } from '../index.ts';

/** A container's root beside a file that must stay out of reach. */
function tree(t: TestContext): { root: string; outside: string } {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-archive-'));
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const root = join(directory, 'root');
  mkdirSync(join(root, 'data/sub'), { recursive: true });
  writeFileSync(join(root, 'data/file'), 'inside');
  const outside = join(directory, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret');
  symlinkSync(outside, join(root, 'absolute'));
  symlinkSync('../../../../../../..' + outside, join(root, 'climbing'));
  symlinkSync('/data', join(root, 'fine'));
  return { root, outside };
}

type Member = Omit<NewTarEntry, 'path' | 'linkPath'> & { path: string; linkPath?: string; content?: string };

function archive(...members: Member[]): Readable {
  const blocks = members.flatMap(({ path, linkPath = '', content = '', ...entry }) => [
    encodeTarEntry({
      ...entry,
      path: byteString(path),
      linkPath: byteString(linkPath),
      size: Buffer.byteLength(content),
    }),
    Buffer.from(content),
    Buffer.alloc(paddingOf(Buffer.byteLength(content))),
  ]);
  return Readable.from([Buffer.concat([...blocks, tarEnd])], { objectMode: false });
}

function names(tar: Buffer): string[] {
  const listed = execFileSync('tar', ['-P', '-tf', '-'], { input: tar, encoding: 'utf8' });
  return listed.split('\n').filter((name) => name !== '');
}

test('resolveInRoot() keeps every path inside the root', (t) => {
  const { root, outside } = tree(t);
  assert.equal(resolveInRoot(root, '/fine/file'), join(root, 'data/file'));
  assert.equal(resolveInRoot(root, '../../../etc'), join(root, 'etc'));
  assert.equal(resolveInRoot(root, 'absolute/secret'), join(root, outside, 'secret'));
  assert.equal(resolveInRoot(root, 'climbing'), join(root, outside));
  assert.equal(resolveInRoot(root, 'fine', { followLast: false }), join(root, 'fine'));
  assert.equal(resolveInRoot(root, 'data/file/x'), join(root, 'data/file/x'));
  assert.equal(resolveInRoot(root, '/'), root);
  symlinkSync('loop', join(root, 'loop'));
  assert.throws(() => resolveInRoot(root, 'loop'), { code: 'invalidArgument' });
});

test('openInRoot() follows links inside the root only', (t) => {
  const { root } = tree(t);
  assert.throws(() => openInRoot(root, 'absolute/secret', { flags: 0 }), { code: 'ENOENT' });
  assert.throws(() => openInRoot(root, 'climbing/secret', { flags: 0 }), { code: 'ENOENT' });
  assert.throws(() => openInRoot(root, 'fine', { flags: 0, followLast: false }), { code: 'ELOOP' });
  using file = openInRoot(root, '/../fine/file', { flags: 0 });
  assert.equal(readFileSync(file.fd, 'utf8'), 'inside');
});

test('statPath() tells name, size, Go mode, time and link target', (t) => {
  const { root } = tree(t);
  utimesSync(join(root, 'data/file'), 1, 1_600_000_000);
  assert.deepEqual(statPath(root, '/data/file'), {
    name: 'file',
    size: 6,
    mode: 0o644,
    mtime: '2020-09-13T12:26:40Z',
    linkTarget: '',
  });
  assert.equal(statPath(root, 'data/').mode, 2 ** 31 + 0o755);
  const link = statPath(root, '/fine');
  assert.equal(link.linkTarget, '/data');
  assert.equal(link.mode, 2 ** 27 + 0o777);
  assert.equal(statPath(root, '/fine/').mode, 2 ** 31 + 0o755);
  assert.equal(statPath(root, '/').name, '/');
  assert.throws(() => statPath(root, '/no'), { code: 'ENOENT' });
  assert.throws(() => statPath(root, '/data/file/'), { code: 'ENOTDIR' });
});

test('archivePath() names entries by the last element asked for', async (t) => {
  const { root } = tree(t);
  const packed = async (path: string) => names(await buffer(archivePath(root, path)));
  assert.deepEqual(await packed('/data'), ['data/', 'data/file', 'data/sub/']);
  assert.deepEqual(await packed('/fine/'), ['fine/', 'fine/file', 'fine/sub/']);
  assert.deepEqual(await packed('/data/.'), ['./', './file', './sub/']);
  assert.deepEqual(await packed('/data/file'), ['file']);
  assert.deepEqual(await packed('/fine'), ['fine']);
  assert.equal((await packed('/'))[0], '/');
  assert.throws(() => archivePath(root, '/absolute/secret'), { code: 'ENOENT' });
});

test('archivePath() and unpackInto() carry a tree over', async (t) => {
  const { root } = tree(t);
  writeFileSync(join(root, 'data/sub/run'), 'x', { mode: 0o4755 });
  execFileSync('chmod', ['4751', join(root, 'data/sub/run')]);
  execFileSync('chown', ['12:34', join(root, 'data/sub/run')]);
  execFileSync('ln', [join(root, 'data/file'), join(root, 'data/sub/hard')]);
  execFileSync('mkfifo', ['-m', '666', join(root, 'data/pipe')]);
  symlinkSync('../nowhere', join(root, 'data/broken'));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/data/`), Buffer.from([0xff, 0x41])]), 'bytes');
  utimesSync(join(root, 'data/sub'), 5, 5.5);
  mkdirSync(join(root, 'copy'));
  await unpackInto({ root, path: '/copy' }, archivePath(root, '/data'));
  const listing = (path: string) =>
    execFileSync('find', ['.', '-printf', '%P %y %m %U:%G %s %n %T@ %l\\n'], {
      cwd: path,
      encoding: 'latin1',
    })
      .split('\n')
      .map((line) => (line.includes(' d ') ? line.replace(/ \d+ \d+ (?=\S+ $)/, ' ') : line))
      .sort();
  assert.deepEqual(listing(join(root, 'copy/data')), listing(join(root, 'data')));
});

test('unpackInto() follows links of the tree inside the root only', async (t) => {
  const { root, outside } = tree(t);
  await unpackInto({ root, path: '/' }, archive({ path: 'fine/new', type: 'file', content: 'n' }));
  assert.equal(readFileSync(join(root, 'data/new'), 'utf8'), 'n');
  for (const link of ['absolute', 'climbing']) {
    await assert.rejects(unpackInto({ root, path: '/' }, archive({ path: `${link}/pwned`, type: 'file' })), {
      code: 'invalidArgument',
    });
    await assert.rejects(unpackInto({ root, path: `/${link}` }, archive({ path: 'pwned', type: 'file' })));
  }
  await unpackInto(
    { root, path: '/' },
    archive(
      { path: 'own', type: 'symlink', linkPath: outside },
      { path: 'absolute', type: 'file', content: 'replaced' },
    ),
  );
  assert.equal(readlinkSync(join(root, 'own')), outside);
  assert.equal(readFileSync(join(root, 'absolute'), 'utf8'), 'replaced');
  await assert.rejects(unpackInto({ root, path: '/' }, archive({ path: 'own/secret', type: 'file' })));
  await assert.rejects(
    unpackInto({ root, path: '/' }, archive({ path: 'grab', type: 'link', linkPath: 'own/secret' })),
  );
  assert.deepEqual(readdirSync(outside), ['secret']);
  assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
});

test('unpackInto() refuses hostile entries by name', async (t) => {
  const { root } = tree(t);
  const unpack = (member: Member) => unpackInto({ root, path: '/data' }, archive(member));
  await assert.rejects(unpack({ path: '../up', type: 'file' }), {
    code: 'invalidArgument',
    message: /"\.\.\/up"/,
  });
  await assert.rejects(unpack({ path: 'disk', type: 'block', deviceMajor: 8 }), {
    message: /"disk": devices/,
  });
  await assert.rejects(unpack({ path: 'l', type: 'link', linkPath: '../../x' }), {
    message: /"l": it links to/,
  });
  assert.deepEqual(readdirSync(join(root, 'data')), ['file', 'sub']);
});

test('unpackInto() replaces files, merges directories and heeds its options', async (t) => {
  const { root } = tree(t);
  const place = { root, path: '/data' };
  const strict = { noOverwriteDirNonDir: true };
  await assert.rejects(unpackInto(place, archive({ path: 'sub', type: 'file' }), strict), {
    message: 'cannot overwrite directory "sub" with non-directory "/data"',
  });
  await assert.rejects(unpackInto(place, archive({ path: 'file', type: 'directory' }), strict), {
    message: 'cannot overwrite non-directory "file" with directory "/data"',
  });
  writeFileSync(join(root, 'data/sub/kept'), '');
  await unpackInto(
    place,
    archive(
      { path: 'sub', type: 'directory', mode: 0o700, mtimeNs: 7_000_000_001n },
      { path: 'sub/a/b', type: 'file', uid: 9, content: 'deep' },
      { path: 'file', type: 'directory' },
    ),
    { owner: { uid: 3, gid: 4 } },
  );
  assert.deepEqual(readdirSync(join(root, 'data/sub')).sort(), ['a', 'kept']);
  assert.equal(lstatSync(join(root, 'data/sub'), { bigint: true }).mtimeNs, 7_000_000_001n);
  assert.equal(statSync(join(root, 'data/sub/a/b')).uid, 3);
  assert.ok(statSync(join(root, 'data/file')).isDirectory());
  await unpackInto(place, archive({ path: 'sub', type: 'file', content: 'now a file' }));
  assert.equal(readFileSync(join(root, 'data/sub'), 'utf8'), 'now a file');
  assert.ok(!readdirSync(join(root, 'data')).some((name) => name.startsWith('.gantry')));
});

test('unpackInto() keeps file capabilities', async (t) => {
  const { root } = tree(t);
  const capability = '\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0';
  const pax = new Map([[xattrKey('security.capability'), byteString(capability)]]);
  await unpackInto(
    { root, path: '/data' },
    archive({ path: 'ping', type: 'file', uid: 1, pax, content: 'x' }),
  );
  assert.equal(getXattr(join(root, 'data/ping'), 'security.capability')?.toString('latin1'), capability);
  assert.equal(existsSync(join(root, 'data/ping')), true);
});
