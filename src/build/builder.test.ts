import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ProgressMessage } from '../api/index.ts';
import { openContentStore } from '../content/index.ts';
import { createImages, type Images } from '../image/index.ts';
import { createHttpGet } from '../lib/http-get.ts';
import { noProxies } from '../lib/http-proxy.ts';
import { mount, unmount } from '../lib/native.ts';
import { exitOf, start } from '../lib/process.ts';
import { byteString, encodeTarEntry, type NewTarEntry, paddingOf, tarEnd } from '../lib/tar/index.ts';
import { openMetadata } from '../metadata/index.ts';
import type { ImageId } from '../oci/index.ts';
import { openSnapshots, type Snapshots } from '../snapshot/index.ts';
import {
  type Builder,
  type BuildRequest,
  buildExitCode,
  createBuilder,
  openBuildCache,
  type PruneCacheOptions,
  type StepRunner,
} from './index.ts';

interface Bench {
  readonly builder: Builder;
  /** Another builder on the same stores. */
  readonly withSteps: (steps: StepRunner) => Builder;
  readonly images: Images;
  readonly snapshots: Snapshots['snapshots'];
  readonly leases: () => number;
  readonly runs: () => number;
}

/** A builder on real stores below a new root, with a base image `busybox` of the host's static busybox. */
async function openBench(t: TestContext): Promise<Bench> {
  const root = mkdtempSync(join(tmpdir(), 'gantry-build-'));
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  stack.defer(() => rm(root, { recursive: true, force: true }));
  const metadata = stack.use(openMetadata(join(root, 'gantry.db')));
  const content = await openContentStore({ directory: join(root, 'content') });
  const { snapshots, layers } = stack.use(await openSnapshots({ root, metadata }));
  const cache = openBuildCache(metadata);
  const cached = () => cache.stepImages();
  const images = stack.use(createImages({ metadata, content, snapshots, layers, users: () => [], cached }));
  await importBusybox(images);
  let runs = 0;
  const chroot = chrootRunner(snapshots);
  const steps: StepRunner = {
    run: (step, signal) => {
      runs += 1;
      return chroot.run(step, signal);
    },
  };
  const stores = { content, snapshots, layers, images };
  const httpGet = stack.use(createHttpGet(noProxies));
  const withSteps = (runner: StepRunner) =>
    createBuilder({ root, metadata, stores, cache, steps: runner, httpGet });
  const builder = withSteps(steps);
  return {
    builder,
    withSteps,
    images,
    snapshots,
    leases: () => metadata.leases.held().length,
    runs: () => runs,
  };
}

async function importBusybox(images: Images): Promise<void> {
  const files = [
    ...['bin/', 'etc/', 'tmp/', 'proc/'].map((path) => ({
      path: byteString(path),
      type: 'directory' as const,
    })),
    ...['sh', 'cat', 'echo', 'touch', 'rm', 'ls', 'mktemp', 'chmod', 'sleep', 'stat', 'readlink', 'id'].map(
      (name) => ({
        path: byteString(`bin/${name}`),
        type: 'symlink' as const,
        linkPath: byteString('busybox'),
      }),
    ),
    {
      path: byteString('etc/passwd'),
      type: 'file' as const,
      text: 'root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n',
    },
    { path: byteString('etc/group'), type: 'file' as const, text: 'root:x:0:\nstaff:x:50:\n' },
    { path: byteString('lib'), type: 'symlink' as const, linkPath: byteString('usr/lib') },
    { path: byteString('usr/lib/'), type: 'directory' as const, mode: 0o750 },
    {
      path: byteString('bin/busybox'),
      type: 'file' as const,
      mode: 0o755,
      text: readFileSync('/bin/busybox'),
    },
  ];
  await images.importRootfs(Readable.from([archiveOf(files)]), {
    reference: 'busybox:latest',
    changes: ['CMD ["/bin/sh"]'],
  });
}

type Member = Omit<NewTarEntry, 'size'> & { readonly text?: string | Buffer };

function archiveOf(members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ text = '', ...entry }) => {
    const content = Buffer.from(text);
    return [
      encodeTarEntry({ ...entry, size: content.length }),
      content,
      Buffer.alloc(paddingOf(content.length)),
    ];
  });
  return Buffer.concat([...blocks, tarEnd]);
}

/** Runs steps with chroot: enough of a container for a build. */
function chrootRunner(snapshots: Snapshots['snapshots']): StepRunner {
  return {
    run: async (step, signal) => {
      const root = await snapshots.mount(step.snapshotKey);
      const proc = join(root, 'proc');
      mount({ source: 'proc', target: proc, type: 'proc' });
      try {
        const [user = '0', group] = (step.user || '0').split(':');
        const child = start('chroot', [`--userspec=${user}:${group ?? user}`, root, ...step.args], {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: Object.fromEntries(
            step.env.map((entry) => [entry.split('=', 1)[0] ?? '', entry.replace(/^[^=]*=/, '')] as const),
          ),
          signal,
        });
        child.on('error', () => undefined);
        child.stdout?.on('data', (data: Buffer) => {
          step.onOutput('stdout', data);
        });
        child.stderr?.on('data', (data: Buffer) => {
          step.onOutput('stderr', data);
        });
        return await exitOf('chroot', child);
      } finally {
        unmount(proc);
      }
    },
  };
}

type Files = Readonly<Record<string, string | Member>>;

function contextOf(files: Files): Readable {
  const members = Object.entries(files).map(([path, file]) =>
    typeof file === 'string' ? { path: byteString(path), type: 'file' as const, text: file } : file,
  );
  return Readable.from([archiveOf(members)]);
}

function requestOf(files: Files, options: Partial<BuildRequest> = {}): BuildRequest {
  return {
    context: contextOf(files),
    dockerfile: 'Dockerfile',
    tags: [],
    buildArgs: {},
    labels: {},
    target: '',
    noCache: false,
    pull: false,
    credentials: new Map(),
    quiet: false,
    networkMode: 'default',
    extraHosts: [],
    shmSize: 0,
    ulimits: [],
    memory: 0,
    cpuQuota: 0,
    cpuPeriod: 0,
    cpuShares: 0,
    cpusetCpus: '',
    ...options,
  };
}

interface Built {
  readonly id: ImageId;
  readonly text: string;
  readonly messages: readonly ProgressMessage[];
}

async function build(bench: Bench, files: Files, options: Partial<BuildRequest> = {}): Promise<Built> {
  const messages: ProgressMessage[] = [];
  const id = await bench.builder.build(
    requestOf(files, options),
    (message) => messages.push(message),
    new AbortController().signal,
  );
  return { id, messages, text: messages.map((message) => message.stream ?? '').join('') };
}

async function fails(bench: Bench, files: Files, options: Partial<BuildRequest> = {}): Promise<Error> {
  try {
    await build(bench, files, options);
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  throw new Error('the build did not fail');
}

/** Shows the file system of an image to `look`. */
async function inImage<T>(bench: Bench, id: ImageId, look: (root: string) => T): Promise<T> {
  const { chainId } = bench.images.resolve(id);
  assert.ok(chainId !== undefined);
  await using view = await bench.snapshots.view(chainId);
  return look(view.root);
}

test('build() tells every step in the classic words, and the second time takes all from the cache', async (t) => {
  const bench = await openBench(t);
  const files = {
    Dockerfile:
      'FROM busybox\nENV A=b\nCOPY x /dir/\nRUN echo $A > /out && echo hello\nCMD ["cat", "/out"]\n',
    x: 'content',
  };
  const first = await build(bench, files, { tags: ['app'] });
  const hex = '[0-9a-f]{12}';
  const ran = ` ---> Running in ${hex}\n`;
  const removed = ` ---> Removed intermediate container ${hex}\n`;
  assert.match(
    first.text,
    new RegExp(
      `^Step 1/5 : FROM busybox\n ---> ${hex}\nStep 2/5 : ENV A=b\n${ran}${removed} ---> ${hex}\n` +
        `Step 3/5 : COPY x /dir/\n ---> ${hex}\nStep 4/5 : RUN echo \\$A > /out && echo hello\n${ran}hello\n${removed} ---> ${hex}\n` +
        `Step 5/5 : CMD \\["cat", "/out"\\]\n${ran}${removed} ---> ${hex}\nSuccessfully built ${hex}\nSuccessfully tagged app:latest\n$`,
    ),
  );
  assert.deepEqual(
    first.messages.flatMap((message) => message.aux ?? []),
    [{ ID: first.id }],
  );
  await inImage(bench, first.id, (root) => {
    assert.equal(readFileSync(join(root, 'out'), 'utf8'), 'b\n');
    assert.equal(readFileSync(join(root, 'dir/x'), 'utf8'), 'content');
  });
  const image = bench.images.resolve('app');
  assert.deepEqual(image.config.config?.Cmd, ['cat', '/out']);
  assert.deepEqual(
    image.config.history?.slice(1).map((entry) => [entry.created_by?.slice(0, 26), entry.empty_layer]),
    [
      ['/bin/sh -c #(nop)  ENV A=b', true],
      ['/bin/sh -c #(nop) COPY fil', undefined],
      ['/bin/sh -c echo $A > /out ', undefined],
      ['/bin/sh -c #(nop)  CMD ["c', true],
    ],
  );
  const again = await build(bench, files);
  assert.equal(again.id, first.id);
  assert.equal(again.text.match(/ ---> Using cache\n/g)?.length, 4);
  assert.equal(bench.runs(), 1);
  assert.equal(bench.leases(), 0);
  const other = await build(bench, { ...files, x: 'other' });
  assert.equal(other.text.match(/ ---> Using cache\n/g)?.length, 1);
  assert.equal(bench.runs(), 2);
  const fresh = await build(bench, files, { noCache: true });
  assert.doesNotMatch(fresh.text, /Using cache/);
});

test('every step is an image whose parent is the step before', async (t) => {
  const bench = await openBench(t);
  const { id } = await build(bench, { Dockerfile: 'FROM busybox\nENV A=1\nRUN echo > /x\n' });
  const top = bench.images.resolve(id);
  assert.ok(top.parent);
  const middle = bench.images.resolve(top.parent);
  assert.equal(middle.parent, bench.images.resolve('busybox').id);
  assert.equal(top.config.rootfs.diff_ids.length, 2);
  assert.equal(middle.config.rootfs.diff_ids.length, 1);
});

test('a RUN that changes nothing adds no layer', async (t) => {
  const bench = await openBench(t);
  const { id } = await build(bench, { Dockerfile: 'FROM busybox\nRUN echo nothing\nWORKDIR /tmp\n' });
  const { config } = bench.images.resolve(id);
  assert.equal(config.rootfs.diff_ids.length, 1);
  assert.deepEqual(
    config.history?.slice(1).map((entry) => entry.empty_layer),
    [true, true],
  );
});

test('build() fails with the exit code of a RUN, and leaves no snapshot behind', async (t) => {
  const bench = await openBench(t);
  const error = await fails(bench, { Dockerfile: 'FROM busybox\nRUN echo bad >&2; exit 3\n' });
  assert.equal(error.message, "The command '/bin/sh -c echo bad >&2; exit 3' returned a non-zero code: 3");
  assert.equal(buildExitCode(error), 3);
  assert.deepEqual(bench.snapshots.list().active, []);
  assert.equal(bench.leases(), 0);
});

test('build() says what is wrong with a Dockerfile, a source or a base', async (t) => {
  const bench = await openBench(t);
  const cases: readonly (readonly [Files, string])[] = [
    [{ x: '' }, 'Cannot locate specified Dockerfile: Dockerfile'],
    [
      { Dockerfile: 'FROM busybox\n\nFOO bar\n' },
      'dockerfile parse error on line 3: unknown instruction: FOO (did you mean FROM?)',
    ],
    [
      { Dockerfile: 'FROM busybox\nCOPPY a b\n' },
      'dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)',
    ],
    [{ Dockerfile: 'RUN x\n' }, 'dockerfile parse error on line 1: no build stage in current context'],
    [
      { Dockerfile: 'FROM busybox\nCOPY nope /\n' },
      'COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist',
    ],
    [{ Dockerfile: 'FROM busybox\nCOPY n* /\n' }, 'COPY failed: no source files were specified'],
    [
      { Dockerfile: 'FROM busybox\nCOPY ../x /\n' },
      'COPY failed: forbidden path outside the build context: ../x ()',
    ],
    [
      { Dockerfile: 'FROM busybox AS a\nFROM busybox\nCOPY --from=a /nope /\n' },
      'COPY failed: stat nope: file does not exist',
    ],
    [
      { Dockerfile: 'FROM busybox\nCOPY a b /x\n', a: '', b: '' },
      'COPY failed: When using COPY with more than one source file, the destination must be a directory and end with a /',
    ],
    [
      { Dockerfile: 'FROM nosuch:1\n' },
      "pull access denied for nosuch, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
    ],
    [
      { Dockerfile: 'FROM busybox\nRUN --mount=type=cache,target=/x y\n' },
      'dockerfile parse error on line 2: RUN --mount is not supported yet: take the flag out, or build with BuildKit',
    ],
    [{ Dockerfile: 'FROM scratch\n' }, 'No image was generated. Is your Dockerfile empty?'],
    [{ Dockerfile: 'FROM busybox\nSTOPSIGNAL SIGNOPE\n' }, 'invalid signal: SIGNOPE'],
  ];
  for (const [files, message] of cases) assert.equal((await fails(bench, files)).message, message);
  assert.equal(
    (await fails(bench, { Dockerfile: 'FROM busybox\n' }, { target: 'x' })).message,
    'target stage "x" could not be found',
  );
  await assert.rejects(
    bench.builder.build(
      { ...requestOf({}), context: Readable.from([Buffer.from('no tar at all'.repeat(100))]) },
      () => undefined,
      new AbortController().signal,
    ),
    { code: 'invalidArgument' },
  );
});

test('build() runs only the stages the target needs, and passes files between them', async (t) => {
  const bench = await openBench(t);
  const Dockerfile = `FROM busybox AS one
RUN echo one > /one && chmod 640 /one
FROM busybox AS unused
RUN exit 1
FROM scratch
COPY --from=one /one /etc/passwd /
COPY --from=0 /etc /etc
COPY --from=busybox /bin/sh /shell
LABEL a=b
`;
  const built = await build(bench, { Dockerfile }, { labels: { z: "it's $HOME" } });
  assert.match(built.text, /Step 8\/8 : LABEL z=it's \$HOME/);
  assert.doesNotMatch(built.text, /unused/);
  await inImage(bench, built.id, (root) => {
    assert.equal(readFileSync(join(root, 'one'), 'utf8'), 'one\n');
    assert.match(readFileSync(join(root, 'etc/group'), 'utf8'), /staff/);
    assert.deepEqual(readdirSync(root).sort(), ['etc', 'one', 'passwd', 'shell']);
  });
  assert.deepEqual(bench.images.resolve(built.id).config.config?.Labels, { a: 'b', z: "it's $HOME" });
  const target = await build(bench, { Dockerfile }, { target: 'one' });
  assert.match(target.text, /Step 2\/2/);
});

test('ARG: command line before default before global; undeclared ones are told; ENV wins', async (t) => {
  const bench = await openBench(t);
  const Dockerfile = `ARG BASE=busybox
ARG GLOBAL=from-global
FROM $BASE
ARG GLOBAL
ARG PLAIN=default
ARG GIVEN=default
ENV PLAIN=env
RUN echo $GLOBAL $PLAIN $GIVEN $HTTP_PROXY > /out
`;
  const buildArgs = { GIVEN: 'given', NOPE: '1', HTTP_PROXY: 'http://p' };
  const built = await build(bench, { Dockerfile }, { buildArgs });
  await inImage(bench, built.id, (root) => {
    assert.equal(readFileSync(join(root, 'out'), 'utf8'), 'from-global env given http://p\n');
  });
  assert.match(built.text, /\[Warning\] One or more build-args \[NOPE\] were not consumed\n/);
  assert.match(built.text, /^Step 1\/8 : ARG BASE=busybox\nStep 2\/8 : ARG GLOBAL=from-global\nStep 3\/8/);
  const history = bench.images.resolve(built.id).config.history?.at(-1)?.created_by ?? '';
  assert.match(history, /^\|2 GIVEN=given GLOBAL=from-global \/bin\/sh -c echo/);
  const other = await build(bench, { Dockerfile }, { buildArgs: { ...buildArgs, GIVEN: 'new' } });
  assert.notEqual(other.id, built.id);
  const proxy = await build(bench, { Dockerfile }, { buildArgs: { ...buildArgs, HTTP_PROXY: 'other' } });
  assert.equal(proxy.id, built.id);
});

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

test('.dockerignore keeps files out of COPY, but not out of the build', async (t) => {
  const bench = await openBench(t);
  const files = {
    Dockerfile: 'FROM busybox\nCOPY . /ctx/\n',
    '.dockerignore': '*\n!keep\nkeep/not\n',
    'keep/yes': '1',
    'keep/not': '2',
    other: '3',
  };
  const { id } = await build(bench, files);
  await inImage(bench, id, (root) => {
    assert.deepEqual(readdirSync(join(root, 'ctx')), ['keep']);
    assert.deepEqual(readdirSync(join(root, 'ctx/keep')), ['yes']);
  });
  const error = await fails(bench, { ...files, Dockerfile: 'FROM busybox\nCOPY other /\n' });
  assert.match(error.message, /excluded by \.dockerignore/);
});

test('ONBUILD triggers run in the next build and are gone from its image', async (t) => {
  const bench = await openBench(t);
  const base = 'FROM busybox\nONBUILD COPY x /x\nONBUILD RUN cat /x > /y\n';
  const { id } = await build(bench, { Dockerfile: base }, { tags: ['base'] });
  assert.deepEqual(bench.images.resolve(id).config.config?.OnBuild, ['COPY x /x', 'RUN cat /x > /y']);
  const next = await build(bench, { Dockerfile: 'FROM base\n', x: 'trigger' });
  assert.match(next.text, /# Executing 2 build triggers\n/);
  await inImage(bench, next.id, (root) => {
    assert.equal(readFileSync(join(root, 'y'), 'utf8'), 'trigger');
  });
  assert.equal(bench.images.resolve(next.id).config.config?.OnBuild, undefined);
});

test('quiet: only the id, or everything when the build fails', async (t) => {
  const bench = await openBench(t);
  const built = await build(bench, { Dockerfile: 'FROM busybox\nENV A=1\n' }, { quiet: true });
  assert.deepEqual(built.messages, [{ stream: `${built.id}\n` }]);
  const messages: ProgressMessage[] = [];
  await assert.rejects(
    bench.builder.build(
      requestOf({ Dockerfile: 'FROM busybox\nRUN exit 1\n' }, { quiet: true }),
      (message) => messages.push(message),
      new AbortController().signal,
    ),
  );
  assert.match(messages.map((message) => message.stream).join(''), /Step 2\/2 : RUN exit 1/);
});

test('RUN heredocs are scripts', async (t) => {
  const bench = await openBench(t);
  const Dockerfile = `FROM busybox
RUN <<EOF
echo one > /out
echo two >> /out
EOF
RUN <<-EOF cat >> /out
	three
	EOF
RUN <<EOF
#!/bin/cat
# four
EOF
`;
  const built = await build(bench, { Dockerfile });
  await inImage(bench, built.id, (root) => {
    assert.equal(readFileSync(join(root, 'out'), 'utf8'), 'one\ntwo\nthree\n');
    assert.deepEqual(readdirSync(join(root, 'tmp')), []);
  });
  assert.match(built.text, /#!\/bin\/cat\n# four\n/);
});

test('aborting a build kills its command and leaves nothing', async (t) => {
  const bench = await openBench(t);
  const controller = new AbortController();
  const building = bench.builder.build(
    requestOf({ Dockerfile: 'FROM busybox\nRUN echo started; sleep 100\n' }),
    (message) => {
      if (message.stream === 'started\n') controller.abort();
    },
    controller.signal,
  );
  await assert.rejects(building);
  assert.deepEqual(bench.snapshots.list().active, []);
  assert.equal(bench.leases(), 0);
});

test('SOURCE_DATE_EPOCH makes equal builds equal', async (t) => {
  const options = { buildArgs: { SOURCE_DATE_EPOCH: '1700000000' }, noCache: true };
  const bench = await openBench(t);
  const files = { Dockerfile: 'FROM busybox\nWORKDIR /new/dir\nCOPY x sub/\n', x: '1' };
  const first = await build(bench, files, options);
  const second = await build(bench, files, options);
  assert.equal(second.id, first.id);
  assert.equal(bench.images.resolve(first.id).config.created, '2023-11-14T22:13:20.000Z');
});

const pruning = (options: Partial<PruneCacheOptions> = {}): PruneCacheOptions => ({
  all: false,
  filters: new Map(),
  keepBytes: 0,
  ...options,
});

test('prune() forgets records', async (t) => {
  const bench = await openBench(t);
  const files = { Dockerfile: 'FROM busybox\nENV A=1\n' };
  await build(bench, files);
  assert.deepEqual((await bench.builder.prune(pruning())).CachesDeleted, []);
  assert.equal((await bench.builder.prune(pruning({ all: true }))).CachesDeleted.length, 1);
  assert.doesNotMatch((await build(bench, files)).text, /Using cache/);
});

test('usage() and the images add up, and prune() frees what only the cache keeps', async (t) => {
  const bench = await openBench(t);
  const { images, builder } = bench;
  const listed = () => images.list({ all: false, sharedSize: true, filters: new Map() });
  const files = {
    Dockerfile:
      'FROM busybox AS make\nCOPY big /big\nENV A=1\nFROM busybox\nCOPY --from=make /etc/passwd /\n',
    big: 'x'.repeat(1000),
  };
  const { id } = await build(bench, files);
  assert.ok(listed().some((image) => image.Id === id));
  assert.equal(listed().length, 2, 'the stage is no image that is listed');
  const records = builder.usage();
  assert.deepEqual(
    records.map(({ size, shared }) => [size, shared]).sort(),
    [
      [0, false],
      [1000, false],
      [records.at(-1)?.size, true],
    ].sort(),
  );
  const cacheBytes = records.reduce((sum, { size, shared }) => sum + (shared ? 0 : size), 0);
  const all = bench.snapshots.list().committed.reduce((sum, { usage }) => sum + usage.bytes, 0);
  assert.equal(images.space().layersSize + cacheBytes, all);
  const unique = listed().reduce((sum, { Size, SharedSize }) => sum + Size - SharedSize, 0);
  const shared = Math.max(...listed().map(({ SharedSize }) => SharedSize));
  assert.equal(unique + shared, images.space().layersSize);

  const kept = await builder.prune(pruning({ keepBytes: 1 << 20 }));
  assert.deepEqual(kept.CachesDeleted, []);
  const pruned = await builder.prune(pruning());
  assert.equal(pruned.CachesDeleted.length, 2);
  assert.ok(pruned.SpaceReclaimed >= 1000, String(pruned.SpaceReclaimed));
  assert.equal(builder.usage().filter((record) => !record.shared).length, 0);

  await fails(bench, { Dockerfile: 'FROM busybox\nRUN echo 1 >/one\nRUN exit 3\n' });
  await images.remove(id, { force: false, noPrune: false });
  const removed = await images.remove('busybox', { force: false, noPrune: false });
  assert.equal(
    removed.filter((item) => 'Deleted' in item).length,
    4,
    'an image and a step, with a layer each',
  );
  assert.deepEqual(images.list({ all: true, sharedSize: false, filters: new Map() }), []);
  for (const filters of [new Map([['private', ['maybe']]]), new Map([['until', ['soon']]])]) {
    await assert.rejects(builder.prune(pruning({ filters })), { code: 'invalidArgument' });
  }
});

test('an image can be removed when a step on it lost its record to a later one', async (t) => {
  const bench = await openBench(t);
  await fails(bench, { Dockerfile: 'FROM busybox\nRUN echo 1 >/one\nRUN echo 2 >/two\nRUN exit 3\n' });
  await fails(bench, { Dockerfile: 'FROM busybox\nRUN echo 1 >/one\nRUN exit 4\n' }, { noCache: true });
  await bench.images.remove('busybox', { force: false, noPrune: false });
  assert.deepEqual(bench.images.list({ all: true, sharedSize: false, filters: new Map() }), []);
});

test('ADD fetches a URL: mode 0600, its name and time, checksum checked', async (t) => {
  const bench = await openBench(t);
  const server = createServer((request, response) => {
    response.statusCode = request.url?.startsWith('/file') === true ? 200 : 404;
    response.setHeader('last-modified', 'Tue, 14 Nov 2023 22:13:20 GMT');
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
  const bad = await fails(bench, { Dockerfile: `FROM busybox\nADD --checksum=sha256:00 ${url}/file /x\n` });
  assert.match(bad.message, /^ADD failed: digest mismatch sha256:/);
  const missing = await fails(bench, { Dockerfile: `FROM busybox\nADD ${url}/nope /x\n` });
  assert.match(missing.message, /^ADD failed: failed to GET .*nope with status 404 Not Found/);
});

test('independent stages run at once, and are told in order', async (t) => {
  const bench = await openBench(t);
  // Each command waits for the other: one after the other they would never end.
  const meeting = Promise.withResolvers<void>();
  let waiting = 0;
  const chroot = chrootRunner(bench.snapshots);
  const builder = bench.withSteps({
    run: async (step, signal) => {
      waiting += 1;
      if (waiting === 2) meeting.resolve();
      await meeting.promise;
      return chroot.run(step, signal);
    },
  });
  const Dockerfile = `FROM busybox AS a
RUN echo from-a > /a; cat /a
FROM busybox AS b
RUN echo from-b > /b; cat /b
FROM scratch
COPY --from=b /b /
COPY --from=a /a /
`;
  const { text, id } = await build({ ...bench, builder }, { Dockerfile });
  assert.match(text, /Step 2\/7[^]*from-a\n[^]*Step 3\/7[^]*from-b\n[^]*Step 5\/7/);
  await inImage(bench, id, (root) => {
    assert.deepEqual(readdirSync(root).sort(), ['a', 'b']);
  });
});

test('a failing stage stops the others', async (t) => {
  const bench = await openBench(t);
  const Dockerfile = `FROM busybox AS a
RUN sleep 100
FROM busybox AS b
RUN exit 7
FROM scratch
COPY --from=a /a /
COPY --from=b /b /
`;
  const started = Date.now();
  const error = await fails(bench, { Dockerfile });
  assert.equal(buildExitCode(error), 7);
  assert.ok(Date.now() - started < 30_000);
  assert.deepEqual(bench.snapshots.list().active, []);
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

test('the Dockerfile may be lower case, elsewhere, behind a symlink or ignored, but not outside', async (t) => {
  const bench = await openBench(t);
  const text = 'FROM busybox\nLABEL a=b\n';
  const link = { path: byteString('to'), type: 'symlink', linkPath: byteString('sub/D') } as const;
  await build(bench, { dockerfile: text });
  const files: Files = { 'sub/D': text, to: link, 'sub/D.dockerignore': '*\n' };
  await build(bench, files, { dockerfile: './sub/D' });
  await build(bench, files, { dockerfile: 'to' });
  const error = await fails(bench, files, { dockerfile: '../x' });
  assert.equal(error.message, 'forbidden path outside the build context: ../x ()');
});
