import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { startDaemon } from '../support/daemon.ts';
import { dockerBuilds, dockerfile } from '../support/docker-build.ts';
import { memoryOf } from '../support/engine-usage.ts';
import { writeTree } from '../support/files.ts';

// docker build, as the unmodified CLI's classic builder drives it: which files it takes, and where they go.

const engine = await startDaemon({ after });
const { context, again, made, inImage } = dockerBuilds(engine, { after });

describe('COPY and ADD', () => {
  const stat = (image: string, ...paths: string[]) =>
    inImage(image, `stat -c '%n %a %u:%g' ${paths.join(' ')}`);

  test('--chown and --chmod', () => {
    const id = made({
      ...dockerfile(
        'FROM base:1',
        'COPY --chown=nobody:daemon a /named',
        'COPY --chown=12:34 --chmod=0640 a /numbers',
        'ADD --chown=7 --chmod=u=rwx,go= dir /dir',
      ),
      a: { text: 'x', mode: 0o755 },
      'dir/b': 'y',
    });
    assert.equal(
      stat(id, '/named', '/numbers', '/dir/b'),
      '/named 755 65534:1\n/numbers 640 12:34\n/dir/b 700 7:7',
    );
  });

  test('wildcards, several sources, and where they end', () => {
    const id = made({
      ...dockerfile(
        'FROM base:1',
        'COPY *.txt sub/?.md /all/',
        'COPY sub /sub',
        'COPY sub/ /inside/of/',
        'COPY a.txt /new/name',
        'WORKDIR /work',
        'COPY a.txt .',
        'COPY ["with space.txt", "/spaced/"]',
      ),
      'a.txt': 'a',
      'b.txt': 'b',
      'with space.txt': 's',
      'sub/c.md': 'c',
      'sub/deep/d.txt': 'd',
    });
    assert.equal(
      inImage(id, 'find /all /sub /inside /new /work /spaced -type f | sort'),
      [
        '/all/a.txt',
        '/all/b.txt',
        '/all/c.md',
        '/all/with space.txt',
        '/inside/of/c.md',
        '/inside/of/deep/d.txt',
        '/new/name',
        '/spaced/with space.txt',
        '/sub/c.md',
        '/sub/deep/d.txt',
        '/work/a.txt',
      ].join('\n'),
    );
  });

  test('times are kept to the second, as clients send them, and links as links', () => {
    writeTree(context, { ...dockerfile('FROM base:1', 'COPY tree /tree'), 'tree/f': 'x' });
    utimesSync(join(context, 'tree/f'), 1_000_000_001, 1_000_000_001);
    spawnSync('ln', ['-s', 'f', join(context, 'tree/link')]);
    const id = again(['-q']);
    assert.equal(inImage(id, 'stat -c %Y /tree/f; readlink /tree/link'), '1000000001\nf');
  });

  for (const [kind, flag] of [
    ['plain', ''],
    ['gzip', 'z'],
    ['bzip2', 'j'],
    ['xz', 'J'],
  ] as const) {
    test(`ADD unpacks a ${kind} archive, COPY does not`, () => {
      writeTree(context, {
        ...dockerfile('FROM base:1', 'ADD local.tar /unpacked/', 'COPY local.tar /packed/'),
        'tree/inner/f': 'inside',
      });
      const packed = spawnSync('tar', [
        `-c${flag}f`,
        join(context, 'local.tar'),
        '-C',
        join(context, 'tree'),
        'inner',
      ]);
      assert.equal(packed.status, 0);
      assert.equal(
        inImage(again(['-q']), 'cat /unpacked/inner/f && echo && ls /packed'),
        'inside\nlocal.tar',
      );
    });
  }

  test('a link in the image is followed inside it only', () => {
    const id = made({
      ...dockerfile(
        'FROM base:1',
        'RUN mkdir /real && ln -s /real /link',
        'COPY f /link/',
        'COPY f /link/x/',
      ),
      f: 'x',
    });
    assert.equal(
      inImage(id, 'ls /real /real/x; [ -L /link ] && echo link'),
      '/real:\nf\nx\n\n/real/x:\nf\nlink',
    );
  });
});

describe('the context', () => {
  test('.dockerignore keeps files out, with exceptions', () => {
    const id = made({
      ...dockerfile('FROM base:1', 'COPY . /all'),
      '.dockerignore':
        '# comment\n*.log\n**/tmp\nDockerfile\n.dockerignore\n!keep.log\nsecret\n!secret/public\n',
      'a.log': '',
      'keep.log': '',
      'sub/tmp/x': '',
      'sub/y.log': '',
      'secret/key': '',
      'secret/public/k': '',
    });
    assert.equal(
      inImage(id, 'cd /all && find . -type f | sort'),
      './keep.log\n./secret/public/k\n./sub/y.log',
    );
  });

  test('-f names another Dockerfile, in the context or outside', () => {
    writeTree(context, { 'docker/other': 'FROM base:1\nCOPY f /f\n', f: 'here' });
    assert.equal(inImage(again(['-q', '-f', join(context, 'docker/other')]), 'cat /f'), 'here');
    const outside = join(context, '../outside');
    writeFileSync(outside, 'FROM base:1\nCOPY f /g\n');
    assert.equal(inImage(again(['-q', '-f', outside]), 'cat /g'), 'here');
    const piped = engine.ok(['build', '-q', '-f', '-', context], { input: 'FROM base:1\nCOPY f /h\n' });
    assert.equal(inImage(piped, 'cat /h'), 'here');
  });

  test('"docker build -" takes a Dockerfile, or a tar of any compression', () => {
    const alone = engine.ok(['build', '-q', '-'], { input: 'FROM base:1\nRUN echo piped > /p\n' });
    assert.equal(inImage(alone, 'cat /p'), 'piped');
    writeTree(context, { ...dockerfile('FROM base:1', 'COPY f /f'), f: 'in tar' });
    for (const flag of ['', 'z', 'j', 'J']) {
      const tar = spawnSync('tar', [`-c${flag}`, '-C', context, '.']).stdout;
      assert.equal(inImage(engine.ok(['build', '-q', '-'], { input: tar }), 'cat /f'), 'in tar');
    }
  });

  test('FROM scratch starts from nothing', () => {
    writeTree(context, {
      ...dockerfile('FROM scratch', 'COPY busybox /busybox', 'CMD ["/busybox", "ls", "/"]'),
    });
    spawnSync('cp', ['/bin/busybox', join(context, 'busybox')]);
    const names = engine.ok(['run', '--rm', again(['-q'])]).split('\n');
    assert.ok(names.includes('busybox') && !names.includes('bin'), names.join());
  });
});

const noTar = Buffer.alloc(30_000_000, 'x');
const noGzip = Buffer.concat([Buffer.from([0x1f, 0x8b]), noTar]);

for (const [what, path, body, answer] of [
  ['a context', '/build', noTar, /^HTTP\/1.1 400 [^]*invalid tar header/],
  ['a compressed context', '/build', gzipSync(noTar, { level: 0 }), /^HTTP\/1.1 400 [^]*invalid tar header/],
  ['an archive of images', '/images/load', noTar, /^HTTP\/1.1 200 [^]*invalid tar header/],
  ['a file system', '/images/create?fromSrc=-', noGzip, /^HTTP\/1.1 400 [^]*damaged gzip data/],
] as const) {
  test(`a client that sends all of ${what} before it reads is told what is wrong with it`, async () => {
    const socket = connect(engine.host.slice('unix://'.length));
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    await new Promise<unknown>((sent) => socket.write(body, sent));
    let told = '';
    for await (const chunk of socket) {
      told += String(chunk);
      if (told.includes('message')) break;
    }
    assert.match(told, answer);
  });
}

test('a client that does not read what RUN prints does not make the daemon grow, and loses nothing', async () => {
  const printed = 100_000_000;
  const lines = ['FROM base:1', `RUN yes | head -c ${printed}`];
  writeTree(context, dockerfile(...lines));
  const { stdout: body } = spawnSync('tar', ['-c', '-C', context, '.']);
  const socket = connect(engine.host.slice('unix://'.length));
  const resting = memoryOf(engine.pid);
  socket.write(`POST /build HTTP/1.0\r\nHost: d\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body);
  let peak = 0;
  // Within 2 seconds the command goes on without its client.
  for (const end = Date.now() + 5000; Date.now() < end; await sleep(100)) {
    peak = Math.max(peak, memoryOf(engine.pid));
  }
  assert.ok(peak - resting < 64 << 10, `${resting} KiB grew to ${peak}`);
  let said = 0;
  let last = '';
  for await (const chunk of socket) {
    last = (last + String(chunk)).slice(-1000);
    said += (chunk as Buffer).length;
  }
  assert.ok(said > printed, String(said));
  assert.match(last, /Successfully built/);
});
