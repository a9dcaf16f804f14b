import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import {
  build,
  type Files,
  fails,
  inImage,
  listening,
  openBench,
  requestOf,
} from '../../test/support/build-bench.ts';
import type { ProgressMessage } from '../api/index.ts';
import { byteString } from '../lib/tar/index.ts';
import { hostPlatform, type ImageId } from '../oci/index.ts';
import { buildExitCode } from './index.ts';

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
      listening(() => undefined),
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

test('ARG without a value keeps the one that the stage before or the lines before gave', async (t) => {
  const bench = await openBench(t);
  const Dockerfile = `FROM busybox AS parent
ARG MODE=fast
FROM parent
ARG MODE
ARG LEVEL=1
ARG LEVEL
RUN echo "$MODE $LEVEL" > /out
`;
  for (const [buildArgs, expected] of [
    [{}, 'fast 1\n'],
    [{ MODE: 'slow', LEVEL: '2' }, 'slow 2\n'],
  ] as const) {
    const { id } = await build(bench, { Dockerfile }, { buildArgs });
    await inImage(bench, id, (root) => {
      assert.equal(readFileSync(join(root, 'out'), 'utf8'), expected);
    });
  }
});

test('an ARG of a trigger consumes what the command line gives', async (t) => {
  const bench = await openBench(t);
  const onbuild = 'FROM busybox\nONBUILD ARG VERSION\nONBUILD RUN echo "version $VERSION"\n';
  await build(bench, { Dockerfile: onbuild }, { tags: ['base'] });
  const { text } = await build(
    bench,
    { Dockerfile: 'FROM base\n' },
    { buildArgs: { VERSION: '1', NOPE: '' } },
  );
  assert.match(text, /^version 1$/m);
  assert.match(text, /\[Warning\] One or more build-args \[NOPE\] were not consumed\n/);
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

test('an ONBUILD trigger copies from a stage that nothing else needs', async (t) => {
  const bench = await openBench(t);
  const onbuild = 'FROM busybox\nONBUILD COPY --from=tools /t /t\nONBUILD RUN cat /t >/u\n';
  await build(bench, { Dockerfile: onbuild }, { tags: ['base'] });
  const Dockerfile = `FROM busybox AS first
RUN echo made >/t
FROM busybox AS unused
RUN exit 1
FROM first AS tools
RUN cat /t
FROM base AS other
FROM base
COPY --from=other /u /v
`;
  const { id, text } = await build(bench, { Dockerfile });
  await inImage(bench, id, (root) => {
    assert.equal(readFileSync(join(root, 'u'), 'utf8'), 'made\n');
    assert.equal(readFileSync(join(root, 'v'), 'utf8'), 'made\n');
  });
  assert.match(text, /# FROM first AS tools\n[^]*# RUN cat \/t\n[^]*made\n/);
  assert.match(text, /Step 3\/3 : COPY --from=other/);
  await fails(bench, { Dockerfile: `${Dockerfile.replace('echo made', 'exit 5')}` });
  assert.deepEqual(bench.snapshots.list().active, []);
});

test('quiet: only the id, or everything when the build fails', async (t) => {
  const bench = await openBench(t);
  const built = await build(bench, { Dockerfile: 'FROM busybox\nENV A=1\n' }, { quiet: true });
  assert.deepEqual(built.messages, [{ stream: `${built.id}\n` }]);
  const messages: ProgressMessage[] = [];
  await assert.rejects(
    bench.builder.build(
      requestOf({ Dockerfile: 'FROM busybox\nRUN exit 1\n' }, { quiet: true }),
      listening((message) => messages.push(message)),
      new AbortController().signal,
    ),
  );
  assert.match(messages.map((message) => message.stream).join(''), /Step 2\/2 : RUN exit 1/);
});

test('the platform decides what FROM scratch gives, also from the cache, and what COPY --from takes', async (t) => {
  const bench = await openBench(t);
  const files = { Dockerfile: 'FROM scratch\nCOPY x /\nENV A=1\n', x: '1' };
  const architecture = (id: ImageId) => bench.images.resolve(id).config.architecture;
  const s390x = { platform: { os: 'linux', architecture: 's390x' } };
  const plain = await build(bench, files);
  assert.equal(architecture(plain.id), hostPlatform().architecture);
  assert.equal(architecture((await build(bench, files, s390x)).id), 's390x');
  assert.equal((await build(bench, files, { platform: hostPlatform() })).id, plain.id);
  const own = 'FROM --platform=linux/riscv64 scratch\nCOPY x /\n';
  assert.equal(architecture((await build(bench, { ...files, Dockerfile: own }, s390x)).id), 'riscv64');
  const copying = { Dockerfile: 'FROM scratch\nCOPY --from=busybox /etc/group /\n' };
  assert.equal(architecture((await build(bench, copying)).id), hostPlatform().architecture);
  assert.match(
    (await fails(bench, copying, s390x)).message,
    /^COPY failed: image with reference busybox was found but does not match the specified platform: wanted linux\/s390x,/,
  );
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

test('SOURCE_DATE_EPOCH makes equal builds equal, and takes no step that was made without it', async (t) => {
  const bench = await openBench(t);
  const files = { Dockerfile: 'FROM busybox\nWORKDIR /new/dir\nCOPY x sub/\n', x: '1' };
  const at = (SOURCE_DATE_EPOCH: string) => ({ buildArgs: { SOURCE_DATE_EPOCH } });
  const created = (id: ImageId) => bench.images.resolve(id).config.created;
  await build(bench, files, { tags: ['today'] });
  await build(bench, files, at('1600000000'));
  const first = await build(bench, files, { ...at('1700000000'), cacheFrom: ['today'] });
  assert.equal(created(first.id), '2023-11-14T22:13:20.000Z');
  const second = await build(bench, files, { ...at('1700000000'), noCache: true });
  assert.equal(second.id, first.id);
  const third = await build(bench, files, at('1700000000'));
  assert.equal(third.text.match(/Using cache/g)?.length, 2);
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
