import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { startDaemon } from '../support/daemon.ts';
import { dockerBuilds, dockerfile } from '../support/docker-build.ts';
import { writeTree } from '../support/files.ts';
import { until } from '../support/until.ts';

// docker build, as the unmodified CLI's classic builder drives it.

const engine = await startDaemon({ after });
const { context, build, again, made, inImage } = dockerBuilds(engine, { after });
const configOf = (image: string, field: string) =>
  JSON.parse(engine.ok(['inspect', '-f', `{{json .Config.${field}}}`, image])) as unknown;
const cached = (output: string) => output.match(/^ ---> Using cache$/gm)?.length ?? 0;

describe('progress', () => {
  const files = {
    ...dockerfile('FROM base:1', 'ENV A=b', 'COPY x /dir/', 'RUN echo $A; echo err >&2', 'CMD ["cat"]'),
    x: 'content',
  };
  const id = '[0-9a-f]{12}';
  const ran = ` ---> Running in ${id}\n`;
  const removed = ` ---> Removed intermediate container ${id}\n`;

  test('is told in the exact words of the classic builder', () => {
    const output = build(files, ['-t', 'progress:1', '-t', 'progress:2']).replaceAll(/\u001b\[\d+m/g, '');
    assert.match(
      output,
      new RegExp(
        `^Sending build context to Docker daemon +[\\d.]+kB\\s+` +
          `Step 1/5 : FROM base:1\n ---> ${id}\n` +
          `Step 2/5 : ENV A=b\n${ran}${removed} ---> ${id}\n` +
          `Step 3/5 : COPY x /dir/\n ---> ${id}\n` +
          `Step 4/5 : RUN echo \\$A; echo err >&2\n${ran}(?:b\nerr|err\nb)\n${removed} ---> ${id}\n` +
          `Step 5/5 : CMD \\["cat"\\]\n${ran}${removed} ---> ${id}\n` +
          `Successfully built ${id}\nSuccessfully tagged progress:1\nSuccessfully tagged progress:2$`,
      ),
    );
  });

  test('the second time names the cache', () => {
    const first = engine.ok(['inspect', '-f', '{{.Id}}', 'progress:1']);
    const output = again(['-t', 'progress:1']);
    assert.match(output, new RegExp(`Step 2/5 : ENV A=b\n ---> Using cache\n ---> ${id}\nStep 3/5`));
    assert.equal(cached(output), 4);
    assert.equal(engine.ok(['inspect', '-f', '{{.Id}}', 'progress:1']), first);
  });

  test('-q prints only the ID', () => {
    assert.equal(again(['-q']), engine.ok(['inspect', '-f', '{{.Id}}', 'progress:1']));
  });

  test('-q prints what failed on standard error, and exits with the code of RUN', () => {
    writeTree(context, dockerfile('FROM base:1', 'RUN echo told; exit 9'));
    const result = engine.docker(['build', '-q', context]);
    assert.equal(result.code, 9);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, /told[\s\S]*returned a non-zero code: 9/);
  });

  test('--no-cache runs everything again', () => {
    writeTree(context, files);
    assert.equal(cached(again(['--no-cache'])), 0);
  });

  test('--no-cache makes no tree anew of a COPY that gives the same layer', () => {
    // The directory above the trees: its time tells when one was made.
    const trees = () => statSync(join(engine.root, 'snapshots'), { bigint: true }).mtimeNs;
    const layers = (image: string) => engine.ok(['inspect', '-f', '{{json .RootFS.Layers}}', image]);
    const copies = { ...dockerfile('FROM base:1', 'COPY d /d'), 'd/a': 'one', 'd/b': 'two' };
    const first = made(copies);
    const before = trees();
    const second = again(['-q', '--no-cache']);
    assert.notEqual(second, first);
    assert.equal(layers(second), layers(first));
    assert.equal(trees(), before);
    assert.equal(inImage(second, 'cat /d/a /d/b'), 'onetwo');

    // The times are the layer's: here they are others.
    utimesSync(join(context, 'd/a'), 1, 1);
    const third = again(['-q', '--no-cache']);
    assert.notEqual(layers(third), layers(first));
    assert.notEqual(trees(), before);
    assert.equal(inImage(third, 'cat /d/a /d/b; stat -c %Y /d/a'), 'onetwo1');
  });

  test('--iidfile gets the ID', () => {
    const file = join(context, '../iid');
    again(['--iidfile', file]);
    assert.match(readFileSync(file, 'utf8'), /^sha256:[0-9a-f]{64}$/);
  });
});

describe('the cache goes by content', () => {
  const files = { ...dockerfile('FROM base:1', 'COPY dir /dir', 'RUN true'), 'dir/a': 'one', 'dir/b': 'two' };
  const path = () => join(context, 'dir/a');

  test('a new time changes nothing', () => {
    build(files);
    utimesSync(path(), 1, 1);
    assert.equal(cached(again()), 2);
  });

  test('a file that nothing copies changes nothing', () => {
    writeFileSync(join(context, 'unrelated'), 'x');
    assert.equal(cached(again()), 2);
  });

  test('new content of the same size misses', () => {
    writeFileSync(path(), 'ONE');
    assert.equal(cached(again()), 0);
  });

  test('a new mode misses', () => {
    chmodSync(path(), 0o755);
    assert.equal(cached(again()), 0);
    assert.equal(cached(again()), 2);
  });

  test('a new file misses', () => {
    writeFileSync(join(context, 'dir/c'), '');
    assert.equal(cached(again()), 0);
  });

  test('a build argument that RUN sees misses there, not before', () => {
    const lines = ['FROM base:1', 'RUN echo before', 'ARG V', 'RUN echo $V > /v'];
    build(dockerfile(...lines), ['--build-arg', 'V=1']);
    const other = again(['--build-arg', 'V=2']);
    assert.match(other, /RUN echo before\n ---> Using cache/);
    assert.doesNotMatch(other, /RUN echo \$V > \/v\n ---> Using cache/);
    assert.equal(cached(again(['--build-arg', 'V=1'])), 3);
  });

  test('a new base misses', () => {
    made(dockerfile('FROM base:1', 'ENV BASE=1'), ['-t', 'moving:1']);
    build(dockerfile('FROM moving:1', 'RUN true'));
    made(dockerfile('FROM base:1', 'ENV BASE=2'), ['-t', 'moving:1']);
    assert.equal(cached(build(dockerfile('FROM moving:1', 'RUN true'))), 0);
  });
});

describe('stages', () => {
  const files = dockerfile(
    'FROM base:1 AS first',
    'RUN echo one > /one',
    'FROM base:1 AS unneeded',
    'RUN echo never; exit 1',
    'FROM first AS third',
    'RUN echo three > /three',
    'FROM base:1',
    'COPY --from=first /one /by-name',
    'COPY --from=2 /three /by-index',
    'COPY --from=progress:1 /dir/x /by-image',
  );

  test('copy from each other by name and index, and from images; only needed ones run', () => {
    const output = build(files, ['-t', 'stages:1']);
    assert.doesNotMatch(output, /never/);
    assert.equal(inImage('stages:1', 'cat /by-name /by-index /by-image'), 'one\nthree\ncontent');
    assert.equal(inImage('stages:1', '[ -e /one ] || echo only what was copied'), 'only what was copied');
  });

  test('--target builds that stage', () => {
    const id = build(files, ['-q', '--target', 'third']);
    assert.equal(inImage(id, 'cat /one /three'), 'one\nthree');
  });

  test('--target by number, whatever its case', () => {
    assert.equal(build(files, ['-q', '--target', 'THIRD']), build(files, ['-q', '--target', '2']));
  });
});

describe('ARG', () => {
  test('before FROM is for FROM; a stage sees it only when it names it', () => {
    const id = made(
      dockerfile(
        'ARG TAG=nosuch',
        'ARG GLOBAL=g',
        'FROM base:${TAG}',
        'ARG GLOBAL',
        'ARG OWN=own',
        'RUN echo "$TAG,$GLOBAL,$OWN" > /args',
        'FROM base:1',
        'COPY --from=0 /args /args',
        'RUN echo "$GLOBAL,$OWN" >> /args',
      ),
      ['--build-arg', 'TAG=1'],
    );
    assert.equal(inImage(id, 'cat /args'), ',g,own\n,');
  });

  test('ENV wins over ARG, and no value of an ARG stays in the image', () => {
    const id = made(dockerfile('FROM base:1', 'ARG A=arg', 'ARG B=b', 'ENV A=env', 'RUN echo $A$B > /args'), [
      '--build-arg',
      'A=given',
    ]);
    assert.equal(inImage(id, 'cat /args; echo "[$B]"'), 'envb\n[]');
  });

  test('one that nothing declares is warned of', () => {
    const output = build(dockerfile('FROM base:1'), ['--build-arg', 'NOBODY=1']);
    assert.match(output, /\[Warning\] One or more build-args \[NOBODY\] were not consumed/);
  });

  test('HTTP_PROXY needs no declaration', () => {
    const id = made(dockerfile('FROM base:1', 'RUN echo $HTTP_PROXY > /proxy'), [
      '--build-arg',
      'HTTP_PROXY=http://proxy.test',
    ]);
    assert.equal(inImage(id, 'cat /proxy; echo "[$HTTP_PROXY]"'), 'http://proxy.test\n[]');
  });
});

describe('instructions', () => {
  test('the metadata ones end in the config', () => {
    made(
      dockerfile(
        'FROM base:1',
        'LABEL a=1 b="two words"',
        'ENV PLAIN=yes QUOTED="a b"',
        'WORKDIR /srv',
        'WORKDIR app',
        'USER nobody:nogroup',
        'VOLUME ["/data"]',
        'EXPOSE 80 53/udp',
        'STOPSIGNAL 9',
        'HEALTHCHECK --interval=5s --retries=2 CMD true',
        'SHELL ["/bin/sh", "-ec"]',
        'ENTRYPOINT ["/bin/echo"]',
        'CMD exec',
      ),
      ['-t', 'meta:1', '--label', 'given=yes'],
    );
    assert.deepEqual(configOf('meta:1', 'Labels'), { a: '1', b: 'two words', given: 'yes' });
    assert.deepEqual((configOf('meta:1', 'Env') as string[]).slice(-2), ['PLAIN=yes', 'QUOTED=a b']);
    assert.equal(configOf('meta:1', 'WorkingDir'), '/srv/app');
    assert.equal(configOf('meta:1', 'User'), 'nobody:nogroup');
    assert.deepEqual(configOf('meta:1', 'Volumes'), { '/data': {} });
    assert.deepEqual(configOf('meta:1', 'ExposedPorts'), { '53/udp': {}, '80/tcp': {} });
    assert.equal(configOf('meta:1', 'StopSignal'), '9');
    assert.deepEqual(configOf('meta:1', 'Healthcheck'), {
      Test: ['CMD-SHELL', 'true'],
      Interval: 5_000_000_000,
      Retries: 2,
    });
    assert.deepEqual(configOf('meta:1', 'Shell'), ['/bin/sh', '-ec']);
    assert.deepEqual(configOf('meta:1', 'Entrypoint'), ['/bin/echo']);
    assert.deepEqual(configOf('meta:1', 'Cmd'), ['/bin/sh', '-ec', 'exec']);
  });

  test('USER, WORKDIR, ENV and SHELL hold for RUN', () => {
    const id = made(
      dockerfile(
        'FROM base:1',
        'WORKDIR /srv/app',
        'RUN chown nobody .',
        'USER nobody',
        'ENV NAME=value',
        'RUN echo "$(id -un) $(pwd) $NAME" > out',
        'SHELL ["/bin/sh", "-ec"]',
        'RUN false || true; echo $- > shell',
      ),
    );
    assert.equal(inImage(id, 'cat out'), 'nobody /srv/app value');
    assert.match(inImage(id, 'cat shell'), /e/);
  });

  test('ONBUILD runs in the next build and is gone from its image', () => {
    made(dockerfile('FROM base:1', 'ONBUILD COPY x /x', 'ONBUILD RUN cat /x > /y'), ['-t', 'onbuild:1']);
    const output = build({ ...dockerfile('FROM onbuild:1', 'RUN cat /y > /z'), x: 'late' }, [
      '-t',
      'onbuild:2',
    ]);
    assert.match(output, /^# Executing 2 build triggers$/m);
    assert.equal(inImage('onbuild:2', 'cat /z'), 'late');
    assert.deepEqual(configOf('onbuild:2', 'OnBuild') ?? null, null);
  });

  test('heredocs are scripts and files', () => {
    const id = made(
      dockerfile(
        'FROM base:1',
        'ARG WHO=you',
        'RUN <<EOF',
        'set -e',
        'echo script $WHO > /script',
        'EOF',
        'COPY <<-"EOF" /quoted',
        '\thello $WHO',
        'EOF',
        'COPY <<one.txt <<two.txt /texts/',
        'to $WHO',
        'one.txt',
        'second',
        'two.txt',
      ),
    );
    assert.equal(
      inImage(id, 'cat /script /quoted /texts/one.txt /texts/two.txt'),
      'script you\nhello $WHO\nto you\nsecond',
    );
  });

  test('a comment, a continued line and the escape directive', () => {
    const id = made(
      dockerfile(
        '# escape=`',
        '# FROM nosuch:1',
        'FROM base:1',
        'RUN echo a `',
        '# in between',
        '  b > /out',
        'RUN printf "c\\\\n" >> /out',
      ),
    );
    assert.equal(inImage(id, 'cat /out'), 'a b\nc');
  });
});

describe('a build that is cancelled', () => {
  test('kills its RUN and leaves nothing', async () => {
    const state = () => ({
      containers: engine.ok(['ps', '-aq']),
      snapshots: readdirSync(join(engine.root, 'snapshots')).sort().join(),
      spooled: readdirSync(join(engine.root, 'build')).join(),
    });
    writeTree(context, dockerfile('FROM base:1', 'RUN echo begun; exec sleep 54321'));
    const before = state();
    const child = spawn('docker', ['-H', engine.host, 'build', context], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: join(engine.directory, 'docker-config') },
    });
    await said(child, 'begun');
    assert.ok(sleeping());
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await until(
      () => !sleeping() && state().snapshots === before.snapshots,
      () => JSON.stringify({ before, now: state(), sleeping: sleeping() }),
      60,
    );
    assert.deepEqual(state(), before);
  });

  function sleeping(): boolean {
    return spawnSync('pgrep', ['-fx', 'sleep 54321']).status === 0;
  }

  async function said(child: ChildProcess, text: string): Promise<void> {
    let output = '';
    for await (const chunk of child.stdout ?? []) {
      output += String(chunk);
      if (output.includes(`\n${text}`)) return;
    }
    throw new Error(`"${text}" was not said: ${output}`);
  }
});
