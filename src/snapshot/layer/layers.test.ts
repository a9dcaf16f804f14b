import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { makeNode, setXattrOf } from '../../lib/file-calls.ts';
import { readMounts } from '../../lib/mount-info.ts';
import { unmount } from '../../lib/native.ts';
import {
  byteString,
  encodeTarEntry,
  type NewTarEntry,
  paddingOf,
  tarEnd,
  xattrKey,
} from '../../lib/tar/index.ts';
import { getXattr } from '../../lib/xattr.ts';
import { openMetadata } from '../../metadata/index.ts';
import { type ChainId, digestOf } from '../../oci/index.ts';
import { openSnapshots, type Snapshots } from '../index.ts';

interface Opened extends Snapshots {
  readonly root: string;
}

async function open(t: TestContext): Promise<Opened> {
  const root = mkdtempSync(join(tmpdir(), 'gantry-layers-'));
  const metadata = openMetadata(join(root, 'gantry.db'));
  const opened = await openSnapshots({ root, metadata });
  t.after(async () => {
    for (const { path } of readMounts().reverse()) if (path.startsWith(`${root}/`)) unmount(path);
    await opened[Symbol.asyncDispose]();
    await metadata[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });
  return { ...opened, root };
}

type Member = Omit<NewTarEntry, 'path' | 'linkPath'> & { path: string; linkPath?: string; content?: string };

const file = (path: string, content = ''): Member => ({ path, type: 'file', content });
const directory = (path: string, rest: Partial<NewTarEntry> = {}): Member => ({
  ...rest,
  path,
  type: 'directory',
});
const symlink = (path: string, linkPath: string): Member => ({ path, type: 'symlink', linkPath });
const link = (path: string, linkPath: string): Member => ({ path, type: 'link', linkPath });

function tarOf(...members: Member[]): Buffer {
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
  return Buffer.concat([...blocks, tarEnd]);
}

/** In pieces that cut headers apart. */
function stream(tar: Buffer): Readable {
  const pieces: Buffer[] = [];
  for (let at = 0; at < tar.length; at += 700) pieces.push(tar.subarray(at, at + 700));
  return Readable.from(pieces, { objectMode: false });
}

async function apply(
  { layers }: Opened,
  parent: ChainId | undefined,
  ...members: Member[]
): Promise<ChainId> {
  return (await layers.apply(stream(tarOf(...members)), parent)).chainId;
}

/** Every path of a snapshot as a container would see it. */
async function listing({ snapshots }: Opened, name: ChainId): Promise<string[]> {
  await using view = await snapshots.view(name);
  const found = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P%y\\n'], {
    cwd: view.root,
    encoding: 'latin1',
  });
  return found
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

test('apply() unpacks a layer of any compression and names it', async (t) => {
  const opened = await open(t);
  const tar = tarOf(directory('d'), file('d/f', 'content'));
  const plainId = digestOf(tar);
  const piped = (program: string) => execFileSync(program, ['-c'], { input: tar });
  for (const form of [tar, gzipSync(tar), zstdCompressSync(tar), piped('xz'), piped('bzip2')]) {
    const applied = await opened.layers.apply(stream(form), undefined, { diffId: plainId });
    assert.deepEqual(applied, { diffId: plainId, chainId: plainId, size: tar.length });
    assert.deepEqual(opened.snapshots.stat(plainId), { name: plainId, usage: { bytes: 7, inodes: 2 } });
    assert.deepEqual(await listing(opened, plainId), ['d/ff', 'dd']);
    await opened.snapshots.remove(plainId);
  }
  const upper = await opened.layers.apply(stream(tarOf(file('x'))), undefined);
  const second = await opened.layers.apply(stream(tar), upper.chainId);
  assert.equal(second.chainId, digestOf(`${upper.chainId} ${plainId}`));
  assert.equal(opened.snapshots.stat(second.chainId)?.parent, upper.chainId);
});

test('apply() rejects other bytes than announced, also for a layer that is there', async (t) => {
  const opened = await open(t);
  const good = tarOf(file('good'));
  const options = { diffId: digestOf(good) };
  const refused = { code: 'invalidArgument', message: /diffID is sha256:/ };
  await assert.rejects(opened.layers.apply(stream(tarOf(file('evil'))), undefined, options), refused);
  assert.deepEqual(opened.snapshots.list().committed, []);
  await opened.layers.apply(stream(good), undefined, options);
  await opened.layers.apply(stream(good), undefined, options);
  await assert.rejects(opened.layers.apply(stream(tarOf(file('evil'))), undefined, options), refused);
});

test('apply() carries out whiteouts and opaque directories of a layer', async (t) => {
  const opened = await open(t);
  const base = await apply(
    opened,
    undefined,
    ...['a', 'b', 'c', 'e'].flatMap((name) => [directory(name), file(`${name}/old`)]),
    file('f'),
  );
  const top = await apply(
    opened,
    base,
    file('.wh.f'),
    // Opaque, the marker before and after what the layer itself has there.
    directory('a', { mode: 0o711 }),
    file('a/.wh..wh..opq'),
    file('a/new'),
    file('b/new'),
    file('b/.wh..wh..opq'),
    // Deleted and made again.
    file('.wh.c'),
    directory('c'),
    file('c/new'),
    file('.wh.e'),
    file('e/implied/new'),
    file('.wh..wh.plnk/0.1'),
    file('.wh.never-there'),
  );
  assert.deepEqual(await listing(opened, top), [
    'a/newf',
    'ad',
    'b/newf',
    'bd',
    'c/newf',
    'cd',
    'e/implied/newf',
    'e/impliedd',
    'ed',
  ]);
  await using view = await opened.snapshots.view(top);
  assert.equal(statSync(join(view.root, 'a')).mode & 0o777, 0o711);
});

test('apply() keeps what a layer has beside its own whiteout', async (t) => {
  const opened = await open(t);
  const base = await apply(opened, undefined, file('x', 'old'), directory('d'), file('d/old'));
  const top = await apply(
    opened,
    base,
    file('x', 'new'),
    file('.wh.x'),
    directory('d'),
    file('d/new'),
    file('.wh.d'),
  );
  assert.deepEqual(await listing(opened, top), ['d/newf', 'dd', 'xf']);
});

test('apply() gives directories without an entry the attributes of those below', async (t) => {
  const opened = await open(t);
  const tmp = { mode: 0o1777, uid: 7, mtimeNs: 1_000_000_000n };
  const base = await apply(opened, undefined, directory('tmp', tmp), directory('tmp/sub', { mode: 0o700 }));
  const top = await apply(opened, base, file('tmp/sub/file'));
  await using view = await opened.snapshots.view(top);
  const stats = statSync(join(view.root, 'tmp'));
  assert.deepEqual([stats.mode & 0o7777, stats.uid, stats.mtimeMs], [0o1777, 7, 1000]);
  assert.equal(statSync(join(view.root, 'tmp/sub')).mode & 0o7777, 0o700);
});

test('apply() links to files of its own and of lower layers', async (t) => {
  const opened = await open(t);
  const base = await apply(opened, undefined, directory('d'), {
    ...file('d/target', 'text'),
    mode: 0o600,
    uid: 5,
  });
  const top = await apply(
    opened,
    base,
    file('own', 'o'),
    link('own2', './own'),
    link('n/linked', 'd/target'),
  );
  await using view = await opened.snapshots.view(top);
  const [linked, target] = [lstatSync(join(view.root, 'n/linked')), lstatSync(join(view.root, 'd/target'))];
  assert.equal(readFileSync(join(view.root, 'n/linked'), 'utf8'), 'text');
  assert.deepEqual([linked.mode & 0o777, linked.uid, linked.nlink], [0o600, 5, 2]);
  assert.equal(linked.ino, target.ino);
  assert.equal(lstatSync(join(view.root, 'own2')).nlink, 2);
  await assert.rejects(apply(opened, base, link('l', 'd/absent')), {
    message: /"l": it links to "d\/absent"/,
  });
  await assert.rejects(apply(opened, undefined, link('l', 'absent')), {
    message: /"l": it links to "absent"/,
  });
});

test('apply() keeps modes, owners, times, attributes, devices and odd names', async (t) => {
  const opened = await open(t);
  const capability = '\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0';
  const pax = new Map([
    [xattrKey('security.capability'), byteString(capability)],
    [xattrKey('user.note'), byteString('naïve')],
    [xattrKey('trusted.overlay.redirect'), byteString('/etc')],
  ]);
  const long = 'n'.repeat(255);
  const name = await apply(
    opened,
    undefined,
    {
      ...file('ping', 'x'),
      mode: 0o4755,
      uid: 4_000_000_000,
      gid: 9,
      mtimeNs: 1_600_000_000_123_456_789n,
      pax,
    },
    file(`${'d'.repeat(200)}/${long}`),
    file('größe'),
    symlink('abs', '/etc/passwd'),
    symlink('climb', '../../..'),
    { path: 'null', type: 'character', mode: 0o666, deviceMajor: 1, deviceMinor: 3 },
    { path: 'pipe', type: 'fifo', mode: 0o600 },
    file('/absolute/name'),
  );
  await using view = await opened.snapshots.view(name);
  const path = join(view.root, 'ping');
  const stats = lstatSync(path, { bigint: true });
  assert.deepEqual(
    [stats.mode & 0o7777n, stats.uid, stats.gid, stats.mtimeNs],
    [0o4755n, 4_000_000_000n, 9n, 1_600_000_000_123_456_789n],
  );
  assert.equal(getXattr(path, 'security.capability')?.toString('latin1'), capability);
  assert.equal(getXattr(path, 'user.note')?.toString(), 'naïve');
  assert.equal(lstatSync(join(view.root, 'null')).rdev, 0x103);
  assert.ok(lstatSync(join(view.root, 'pipe')).isFIFO());
  assert.ok(existsSync(join(view.root, 'absolute/name')));
  assert.ok((await listing(opened, name)).includes(`${'d'.repeat(200)}/${long}f`));
  assert.ok(
    !existsSync(
      join(opened.root, 'snapshots/l', readdirSync(join(opened.root, 'snapshots/l'))[0] ?? '', 'etc'),
    ),
  );
});

test('apply() refuses hostile entries by name and leaves nothing', async (t) => {
  const opened = await open(t);
  const outside = mkdtempSync(join(tmpdir(), 'gantry-outside-'));
  t.after(() => {
    rmSync(outside, { recursive: true, force: true });
  });
  writeFileSync(join(outside, 'secret'), 'secret');
  const climb = `${'../'.repeat(12)}${outside.slice(1)}`;
  const base = await apply(opened, undefined, directory('d'), symlink('out', outside), file('f'));
  const hostile: [RegExp, Member[]][] = [
    [/"\.\.\/evil"/, [file('../evil')]],
    [/"a\/\.\.\/\.\.\/evil"/, [file('a/../../evil')]],
    [/"\.\."/, [directory('..')]],
    [/"s\/evil"/, [symlink('s', outside), file('s/evil')]],
    [/"s\/evil"/, [symlink('s', climb), file('s/evil')]],
    [/"s\/x\/evil"/, [symlink('s', outside), file('s/x/evil')]],
    [/evil/, [symlink('s', outside), symlink('t', 's'), file('t/evil')]],
    [/"h"/, [symlink('s', outside), link('h', 's/secret')]],
    [/"h"/, [link('h', climb)]],
    [/"h"/, [link('h', `${outside}/secret`)]],
    [/"h"/, [link('h', 'out/secret')]],
    [/"s\/\.wh\.secret"/, [symlink('s', outside), file('s/.wh.secret')]],
    [/"s\/\.wh\.\.wh\.\.opq"/, [symlink('s', outside), file('s/.wh..wh..opq')]],
    [/"\.wh\."/, [file('.wh.')]],
    [/"\.wh\.\.\."/, [file('.wh...')]],
    [/"\.wh\.\."/, [file('.wh..')]],
    [/"\.wh\.d\/x"/, [file('.wh.d/x')]],
    [/header of \d+ bytes/, [{ ...file('bomb'), pax: new Map([['k', 'v'.repeat(3 << 20) as never]]) }]],
    [/"\."/, [{ path: '.', type: 'symlink', linkPath: outside }]],
    [/evil/, [file('f2'), file('f2/evil')]],
  ];
  for (const [message, members] of hostile) {
    for (const parent of [base, undefined]) {
      const ignored = parent === undefined && members.some(({ path }) => /\.wh\.+$/.test(path));
      if (ignored) continue;
      await assert.rejects(
        apply(opened, parent, file('before'), ...members),
        { code: 'invalidArgument', message },
        String(message),
      );
    }
  }
  // Through a symlink of the layer below: the new layer has a directory of its own there.
  await apply(opened, base, file('out/evil'), link('out/linked', 'f'));
  assert.deepEqual(readdirSync(outside), ['secret']);
  assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
  assert.equal(opened.snapshots.list().committed.length, 2);
  const left = readdirSync(join(opened.root, 'snapshots')).filter((name) => /^[0-9a-f]{8}$/.test(name));
  assert.equal(left.length, 2);
});

test('apply() refuses damaged archives', async (t) => {
  const opened = await open(t);
  const tar = tarOf(file('f', 'x'.repeat(100_000)));
  const flipped = Buffer.from(tar);
  flipped[0] = 0;
  flipped[1] = 1;
  const broken = gzipSync(tar);
  broken[broken.length >> 1] = (broken[broken.length >> 1] ?? 0) ^ 0xff;
  for (const bytes of [
    tar.subarray(0, 5000),
    flipped,
    broken,
    gzipSync(tar).subarray(0, 80),
    Buffer.alloc(2000, 7),
  ]) {
    await assert.rejects(opened.layers.apply(stream(bytes), undefined), { code: 'invalidArgument' });
  }
  await opened.layers.apply(stream(Buffer.alloc(0)), undefined);
  assert.deepEqual(
    opened.snapshots.list().committed.map(({ usage }) => usage.bytes),
    [0],
  );
});

test('apply() stops when it is aborted, also while the source is silent', async (t) => {
  const opened = await open(t);
  const silent = new Readable({ read() {} });
  silent.push(tarOf(file('f', 'x'.repeat(100_000))).subarray(0, 50_000));
  const stop = new AbortController();
  const applied = opened.layers.apply(silent, undefined, { signal: stop.signal });
  setTimeout(() => {
    stop.abort();
  }, 20);
  await assert.rejects(applied, { name: 'AbortError' });
  assert.deepEqual(opened.snapshots.list().committed, []);
});

test('apply() of one layer many times at once stores it once', async (t) => {
  const opened = await open(t);
  const tar = tarOf(file('f'));
  const applied = await Promise.all([1, 2, 3, 4].map(() => opened.layers.apply(stream(tar), undefined)));
  assert.equal(new Set(applied.map(({ chainId }) => chainId)).size, 1);
  assert.equal(opened.snapshots.list().committed.length, 1);
});

test('pack() and apply() give the same tree and, packed again, the same bytes', async (t) => {
  const opened = await open(t);
  const { snapshots, layers } = opened;
  const base = await apply(
    opened,
    undefined,
    ...['gone', 'again', 'kept'].flatMap((name) => [directory(name), file(`${name}/old`)]),
    file('deleted'),
  );
  await snapshots.prepare('c', base, { initLayer: true });
  const root = await snapshots.mount('c');
  rmSync(join(root, 'gone'), { recursive: true });
  rmSync(join(root, 'again'), { recursive: true });
  mkdirSync(join(root, 'again'));
  writeFileSync(join(root, 'again/new'), '');
  rmSync(join(root, 'deleted'));
  mkdirSync(join(root, 'fresh'));
  writeFileSync(join(root, 'fresh/file'), 'hello');
  linkSync(join(root, 'fresh/file'), join(root, 'fresh/hard'));
  symlinkSync('/etc', join(root, 'kept/link'));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x41])]), 'bytes');
  makeNode(join(root, 'zero'), 0o020666, { major: 1, minor: 5 });
  const noted = openSync(join(root, 'fresh/file'), 'r');
  setXattrOf(noted, 'user.note', Buffer.from('n'));
  closeSync(noted);
  writeFileSync(join(root, '--odd name\n'), '');

  const tar = await buffer(layers.pack('c'));
  assert.deepEqual(await buffer(layers.pack('c')), tar);
  const names = execFileSync('tar', ['-t', '--quoting-style=escape'], { input: tar, encoding: 'utf8' });
  assert.deepEqual(names.trim().split('\n'), [
    '--odd name\\n',
    'again/',
    'again/.wh..wh..opq',
    'again/new',
    '.wh.deleted',
    'fresh/',
    'fresh/file',
    'fresh/hard',
    '.wh.gone',
    'kept/',
    'kept/link',
    'zero',
    '\\377A',
  ]);
  assert.ok(!tar.includes('atime='));
  const { chainId } = await layers.apply(stream(tar), base);
  await snapshots.unmount('c');
  await using view = await snapshots.view(chainId);
  assert.deepEqual(readdirSync(join(view.root, 'again')), ['new']);
  assert.ok(!existsSync(join(view.root, 'gone')));
  assert.equal(getXattr(join(view.root, 'fresh/file'), 'user.note')?.toString(), 'n');
  assert.equal(lstatSync(join(view.root, 'fresh/hard')).nlink, 2);
  await snapshots.prepare('d', chainId, { initLayer: true });
  assert.equal((await buffer(layers.pack('d'))).length, 1024);
});

test('pack() writes a huge sparse file as holes, and apply() makes them again', async (t) => {
  const opened = await open(t);
  const { snapshots, layers } = opened;
  await snapshots.prepare('c');
  const root = await snapshots.mount('c').catch(() => undefined);
  assert.ok(root);
  writeFileSync(join(root, 'lastlog'), '');
  truncateSync(join(root, 'lastlog'), 1 << 30);
  truncateSync(join(root, 'lastlog'), 1024 ** 4);
  const tar = await buffer(layers.pack('c'));
  assert.ok(tar.length < 100_000);
  const { chainId } = await layers.apply(stream(tar), undefined);
  await using view = await snapshots.view(chainId);
  const stats = statSync(join(view.root, 'lastlog'));
  assert.equal(stats.size, 1024 ** 4);
  assert.ok(stats.blocks < 100);
});

test('packTree() writes the whole tree as a plain tar', async (t) => {
  const opened = await open(t);
  const { snapshots, layers } = opened;
  const name = await apply(opened, undefined, directory('d'), file('d/f', 'x'));
  await snapshots.prepare('c', name);
  const tar = await buffer(await layers.packTree('c'));
  assert.equal(execFileSync('tar', ['-t'], { input: tar, encoding: 'utf8' }), 'd/\nd/f\n');
  await assert.rejects(layers.packTree('none'), { code: 'notFound' });
});

for (const pack of ['pack', 'packTree'] as const) {
  test(`${pack}() gives all files of a snapshot that is removed meanwhile, which go then`, async (t) => {
    const opened = await open(t);
    const { snapshots, layers } = opened;
    await snapshots.prepare('c');
    const files = join(await snapshots.mount('c'), 'files');
    mkdirSync(files);
    const count = 3000;
    for (let at = 0; at < count; at += 1) writeFileSync(join(files, `${at}`), '');
    const { UpperDir } = snapshots.paths('c');
    const tar = await layers[pack]('c');
    const chunks: Buffer[] = [];
    for await (const chunk of tar as AsyncIterable<Buffer>) {
      if (chunks.length === 0) {
        await snapshots.remove('c');
        await opened[Symbol.asyncDispose]();
      }
      chunks.push(chunk);
    }
    const names = Buffer.concat(chunks)
      .toString('latin1')
      .match(/files\/\d+\0/g);
    assert.equal(names?.length, count);
    assert.ok(!existsSync(UpperDir));
  });
}

test('packTree() gives all files of layers that go with their container meanwhile', async (t) => {
  const opened = await open(t);
  const { snapshots, layers } = opened;
  const count = 3000;
  const files = Array.from({ length: count }, (_, at) => file(`files/${at}`));
  const layer = await apply(opened, undefined, directory('files'), ...files);
  await snapshots.prepare('c', layer);
  let text = '';
  for await (const chunk of (await layers.packTree('c')) as AsyncIterable<Buffer>) {
    if (text === '') {
      await snapshots.remove('c');
      await snapshots.remove(layer);
      await opened[Symbol.asyncDispose]();
    }
    text += chunk.toString('latin1');
  }
  assert.equal(text.match(/files\/\d+\0/g)?.length, count);
});
