import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import {
  bufferOf,
  byteString,
  cleanPath,
  encodeTarEntry,
  type NewTarEntry,
  paddingOf,
  type TarEntry,
  TarParser,
  type TarPart,
  tarEnd,
  textOf,
  xattrKey,
  xattrsOf,
} from './index.ts';

function parse(archive: Buffer, chunkSize = archive.length): TarPart[] {
  const parser = new TarParser();
  const parts: TarPart[] = [];
  for (let at = 0; at < archive.length; at += chunkSize) {
    // A copy of each part, as a chunk's bytes may be used again.
    for (const part of parser.push(Buffer.from(archive.subarray(at, at + chunkSize)))) parts.push(part);
  }
  parser.finish();
  return parts;
}

function entries(archive: Buffer, chunkSize?: number): TarEntry[] {
  return parse(archive, chunkSize).flatMap((part) => (part.kind === 'entry' ? [part.entry] : []));
}

function joined(parts: readonly TarPart[]): Buffer {
  return Buffer.concat(parts.map((part) => ('raw' in part ? part.raw : part.bytes)));
}

function archiveOf(...members: (NewTarEntry & { content?: string })[]): Buffer {
  const blocks = members.flatMap(({ content = '', ...entry }) => {
    const size = Buffer.byteLength(content);
    return [encodeTarEntry({ ...entry, size }), Buffer.from(content), Buffer.alloc(paddingOf(size))];
  });
  return Buffer.concat([...blocks, tarEnd]);
}

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'gantry-tar-'));
  t.after(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

const refused = { code: 'invalidArgument' };

test('encodeTarEntry() and TarParser give back every field', () => {
  const entry = {
    path: byteString(`${'d'.repeat(90)}/${'é'.repeat(120)}`),
    type: 'symlink',
    mode: 0o4755,
    uid: 4_000_000_000,
    gid: 3_000_000,
    size: 0,
    mtimeNs: -1_500_000_001n,
    linkPath: byteString('t'.repeat(300)),
    userName: byteString('u'.repeat(40)),
    groupName: byteString('wheel'),
    deviceMajor: 0,
    deviceMinor: 0,
    sparse: false,
  } as const;
  const attributes = new Map([[xattrKey('security.capability'), '\x01\0\0\x02=\n\xff' as never]]);
  const [read] = entries(archiveOf({ ...entry, pax: attributes }));
  assert.ok(read);
  const { pax, ...fields } = read;
  assert.deepEqual(fields, entry);
  assert.equal(xattrsOf(read).get('security.capability'), '\x01\0\0\x02=\n\xff');
  assert.ok(pax.has('mtime'));
  assert.deepEqual(encodeTarEntry(read), encodeTarEntry({ ...entry, pax: attributes }));
});

test('encodeTarEntry() writes what GNU tar and Python read', (t) => {
  const path = join(directory(t), 'a.tar');
  const long = `dir/${'n'.repeat(200)}`;
  writeFileSync(
    path,
    archiveOf(
      {
        path: byteString(long),
        type: 'file',
        mode: 0o600,
        uid: 5_000_000,
        mtimeNs: 1_600_000_000_123_456_789n,
        content: 'hello',
      },
      { path: byteString('dev'), type: 'character', deviceMajor: 5, deviceMinor: 1 },
      { path: byteString('naïve'), type: 'directory' },
    ),
  );
  const listed = execFileSync('tar', ['--full-time', '--numeric-owner', '-tvf', path], {
    encoding: 'utf8',
    env: { TZ: 'UTC', PATH: '/usr/bin:/bin' },
  });
  assert.match(listed, new RegExp(`-rw------- 5000000/0 +5 2020-09-13 12:26:40.123456789 ${long}`));
  assert.match(listed, /crw-r--r-- 0\/0 +5,1 /);
  const script = 'import sys,tarfile; print([m.name for m in tarfile.open(sys.argv[1])])';
  assert.equal(
    execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }).trim(),
    `['${long}', 'dev', 'naïve']`,
  );
});

for (const format of ['gnu', 'posix', 'ustar', 'v7', 'oldgnu']) {
  test(`TarParser reads GNU tar's ${format} format and keeps its bytes at any chunk size`, (t) => {
    const root = directory(t);
    const name = format === 'gnu' || format === 'posix' ? 'x'.repeat(180) : 'x'.repeat(90);
    writeFileSync(join(root, name), 'content'.repeat(1000));
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x62, 0xff, 0xfe])]), '');
    symlinkSync('../y', join(root, 'link'));
    utimesSync(join(root, name), 1.25, 1.25);
    const archive = execFileSync('tar', ['-C', root, `--format=${format}`, '--sort=name', '-cf', '-', '.'], {
      maxBuffer: 1 << 24,
    });
    for (const size of [archive.length, 512, 511, 7000]) {
      const parts = parse(archive, size);
      assert.deepEqual(joined(parts), archive);
      const read = parts.flatMap((part) => (part.kind === 'entry' ? [part.entry] : []));
      assert.deepEqual(
        read.map((entry) => cleanPath(entry.path)),
        ['', 'b\xff\xfe', 'link', name],
      );
      assert.equal(read[2]?.linkPath, '../y');
      assert.equal(read[3]?.size, 7000);
      assert.equal(read[3]?.mtimeNs, format === 'posix' ? 1_250_000_000n : 1_000_000_000n);
    }
  });
}

test('TarParser reads sparse files in every GNU form', (t) => {
  const root = directory(t);
  writeFileSync(join(root, 'sparse'), 'begin');
  truncateSync(join(root, 'sparse'), 1 << 30);
  for (const version of ['0.0', '0.1', '1.0', 'gnu']) {
    const form = version === 'gnu' ? ['--format=gnu'] : ['--format=posix', `--sparse-version=${version}`];
    const archive = execFileSync('tar', ['-C', root, '--sparse', ...form, '-cf', '-', 'sparse']);
    const [entry] = entries(archive, 512);
    assert.equal(entry?.path, 'sparse', version);
    assert.equal(entry?.sparse, true, version);
    assert.ok(entry.size < 10_000, version);
  }
});

test('encodeTarEntry() gives a sparse file another name, in every GNU form but the first', (t) => {
  const root = directory(t);
  const content = Buffer.alloc(30 << 20);
  for (let region = 0; region < 30; region += 1) content.write(`region ${region}`, region << 20);
  writeFileSync(join(root, 'sparse'), content);
  execFileSync('fallocate', ['--dig-holes', join(root, 'sparse')]);
  const path = byteString('renamed');
  const rewritten = (version: string) => {
    const form = version === 'gnu' ? ['--format=gnu'] : ['--format=posix', `--sparse-version=${version}`];
    const archive = execFileSync('tar', ['-C', root, '--sparse', ...form, '-cf', '-', 'sparse']);
    assert.ok(archive.length < 1 << 20);
    const parts = parse(archive).map((part) =>
      part.kind === 'entry' ? { ...part, raw: encodeTarEntry({ ...part.entry, path }) } : part,
    );
    return joined(parts);
  };
  const script = 'import sys,tarfile; tarfile.open(sys.argv[1]).extract("renamed", sys.argv[2])';
  for (const version of ['gnu', '0.1', '1.0']) {
    const archive = join(root, 'a.tar');
    writeFileSync(archive, rewritten(version));
    for (const unpack of [
      ['tar', '-C', root, '-xf', archive],
      ['python3', '-c', script, archive, root],
    ] as const) {
      const [program, ...args] = unpack;
      execFileSync(program, args);
      assert.ok(readFileSync(join(root, 'renamed')).equals(content), `${version} ${program}`);
      rmSync(join(root, 'renamed'));
    }
  }
  assert.throws(() => rewritten('0.0'), { code: 'notImplemented', message: /sparse/ });
});

test('TarParser applies global PAX headers to the entries that follow', () => {
  const archive = execFileSync('python3', [
    '-c',
    `import sys,tarfile,io
f=tarfile.open(fileobj=sys.stdout.buffer,mode='w|',format=tarfile.PAX_FORMAT,pax_headers={'comment':'abc','mtime':'5.5'})
f.addfile(tarfile.TarInfo('a'))
f.close()`,
  ]);
  const parts = parse(archive);
  assert.equal(parts[0]?.kind, 'global');
  const [entry] = entries(archive);
  assert.equal(entry?.pax.get('comment'), 'abc');
  assert.equal(entry?.mtimeNs, 5_500_000_000n);
});

test('TarParser tells the offset of an entry and of its content', () => {
  const archive = archiveOf(
    { path: byteString('a'), type: 'file', content: 'A' },
    { path: byteString('b'), type: 'file', content: 'BB' },
  );
  const parser = new TarParser();
  const seen: [number, string][] = [];
  for (const part of parser.push(archive)) {
    if (part.kind === 'entry') {
      seen.push([part.offset, archive.toString('utf8', parser.offset, parser.offset + part.entry.size)]);
    }
  }
  assert.deepEqual(seen, [
    [0, 'A'],
    [1024, 'BB'],
  ]);
});

test('TarParser refuses damaged, truncated and oversized archives', () => {
  const archive = archiveOf({ path: byteString('some-file'), type: 'file', content: 'A' });
  assert.throws(() => parse(archive.subarray(0, 600)), { ...refused, message: /unexpected EOF.*some-file/ });
  assert.throws(() => parse(archive.subarray(0, 100)), refused);
  const flipped = Buffer.from(archive);
  flipped[3] = 0x7a;
  assert.throws(() => parse(flipped), { ...refused, message: /checksum/ });
  assert.throws(() => parse(Buffer.concat([tarEnd.subarray(512), archive])), refused);
  const bomb = archiveOf({
    path: byteString('x'),
    type: 'file',
    pax: new Map([['comment2', 'c'.repeat(2 << 20) as never]]),
  });
  assert.throws(() => parse(bomb, 65_536), { ...refused, message: /a header of 20971\d\d bytes/ });
  assert.throws(() => parse(Buffer.from('not a tar archive at all'.repeat(50))), refused);
  assert.deepEqual(parse(Buffer.alloc(0)), []);
});

test('TarParser lets an archive end without its last padding when told to', () => {
  const archive = archiveOf({ path: byteString('some-file'), type: 'file', content: 'A' });
  for (const [length, unpadded] of [
    [513, true],
    [600, true],
    [512, false],
  ] as const) {
    const parser = new TarParser();
    Array.from(parser.push(archive.subarray(0, length)));
    if (unpadded) parser.finish({ unpadded: true });
    else assert.throws(() => parser.finish({ unpadded: true }), refused);
  }
});

test('cleanPath() drops what does not matter and refuses to climb', () => {
  const cleaned = (path: string) => cleanPath(byteString(path));
  assert.equal(cleaned('./a//b/./c/'), 'a/b/c');
  assert.equal(cleaned('/etc/passwd'), 'etc/passwd');
  assert.equal(cleaned('./'), '');
  assert.equal(cleaned('..a/b..'), '..a/b..');
  assert.equal(cleaned('a/../b'), undefined);
  assert.equal(cleaned('..'), undefined);
});

test('byteString() and textOf() are inverse for text', () => {
  assert.equal(textOf(byteString('größe 日本')), 'größe 日本');
  assert.deepEqual(bufferOf(byteString('é')), Buffer.from('é'));
});
