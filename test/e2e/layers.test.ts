import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runCommand, startDaemon } from '../support/daemon.ts';
import { temporaryDirectory } from '../support/files.ts';

// What a layer must carry beyond names and bytes, from an archive into an image, through a container, and out again.

const engine = await startDaemon({ after });
const files = temporaryDirectory({ after });
const docker = (...args: string[]) => engine.ok(args);

function sh(script: string, cwd = files): string {
  const result = runCommand('sh', ['-ec', script], { cwd });
  assert.equal(result.code, 0, `${script}: ${result.stderr}`);
  return result.stdout.trim();
}

/** A tar of a directory with every attribute and times to the nanosecond. */
function tarOf(directory: string): Buffer {
  const args = ['--format=posix', '--xattrs', '--xattrs-include=*', '-cf', '-', '-C', directory, '.'];
  const { stdout, status, stderr } = spawnSync('tar', args, { maxBuffer: 64 << 20 });
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

const long = `${'long-'.repeat(50)}12345`;
const tree = join(files, 'tree');
mkdirSync(tree);
writeFileSync(join(tree, 'linked'), 'content');
linkSync(join(tree, 'linked'), join(tree, 'again'));
writeFileSync(join(tree, long), 'long');
sh(
  `cp /bin/busybox grep && setcap cap_net_raw+ep grep
   echo x > attributed && setfattr -n user.colour -v green attributed
   touch -d '2001-02-03 04:05:06.123456789 UTC' timed
   printf bytes > "$(printf 'not-\\377\\376-utf8')"
   mkfifo pipe && chmod 1777 . && chmod 4755 attributed && chown 1234:5678 timed
   touch -d '2001-02-03 04:05:06.123456789 UTC' timed`,
  tree,
);

/** The same things, seen in a container of an image. */
function check(image: string): void {
  const name = `look-${image.replace(/\W/g, '-')}`;
  docker('run', '-d', '--name', name, image, 'sleep', '1000');
  const root = `/proc/${docker('inspect', '-f', '{{.State.Pid}}', name)}/root/tree`;
  assert.equal(
    docker('exec', '-u', '1000', name, '/tree/grep', 'CapEff', '/proc/self/status'),
    'CapEff:\t0000000000002000',
  );
  assert.equal(sh(`getfattr --absolute-names --only-values -n user.colour ${root}/attributed`), 'green');
  assert.equal(sh(`stat -c '%a %h' ${root}/attributed ${root}/linked`), '4755 1\n644 2');
  assert.equal(sh(`stat -c %i ${root}/linked`), sh(`stat -c %i ${root}/again`));
  assert.equal(sh(`stat -c '%F' ${root}/pipe`), 'fifo');
  assert.equal(sh(`cat ${root}/${long}`), 'long');
  assert.equal(sh(`cat ${root}/"$(printf 'not-\\377\\376-utf8')"`), 'bytes');
  assert.equal(sh(`stat -c '%u:%g' ${root}/timed`), '1234:5678');
  assert.equal(sh(`stat -c %.9Y ${root}/timed`), '981173106.123456789');
  docker('rm', '-f', name);
}

describe('attributes, capabilities, links, holes, odd names and times', () => {
  test('ADD of an archive', () => {
    const context = join(files, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'tree.tar'), tarOf(tree));
    writeFileSync(join(context, 'Dockerfile'), 'FROM base:1\nADD tree.tar /tree/\n');
    docker('build', '-t', 'added:1', context);
    check('added:1');
  });

  test('import, save and load', () => {
    const whole = join(files, 'whole');
    mkdirSync(whole);
    sh(`sh ${join(import.meta.dirname, '../../scripts/busybox-image.sh')} | tar -xf - -C ${whole}`);
    sh(`tar --xattrs --xattrs-include='*' -cf - tree | tar --xattrs --xattrs-include='*' -xf - -C ${whole}`);
    engine.ok(['import', '-', 'imported:1'], { input: tarOf(whole) });
    check('imported:1');
    const archive = join(files, 'saved.tar');
    docker('save', '-o', archive, 'imported:1', 'added:1');
    docker('rmi', 'imported:1', 'added:1');
    docker('load', '-i', archive);
    check('imported:1');
    check('added:1');
  });

  test('a change in a container, committed', () => {
    docker('run', '--name', 'changed', 'added:1', 'sh', '-c', 'echo more > /more; chmod 0700 /tree');
    docker('commit', 'changed', 'committed:1');
    docker('rm', 'changed');
    docker('run', '--rm', 'committed:1', 'cat', '/more');
    const mode = docker('run', '--rm', 'committed:1', 'stat', '-c', '%a', '/tree');
    assert.equal(mode, '700');
    docker('run', '--name', 'reopened', 'committed:1', 'chmod', '1777', '/tree');
    docker('commit', 'reopened', 'committed:2');
    docker('rm', 'reopened');
    check('committed:2');
  });

  test('COPY keeps a time to the nanosecond and a name that is no UTF-8', () => {
    const context = join(files, 'copied');
    mkdirSync(context);
    sh(`cp -a ${tree}/timed ${tree}/not-* .`, context);
    writeFileSync(join(context, 'Dockerfile'), 'FROM base:1\nCOPY . /tree/\n');
    const id = engine.ok(['build', '-q', '-'], { input: gzipSync(tarOf(context)) });
    docker('run', '-d', '--name', 'copied', id, 'sleep', '1000');
    const root = `/proc/${docker('inspect', '-f', '{{.State.Pid}}', 'copied')}/root/tree`;
    assert.equal(sh(`stat -c '%.9Y %u:%g' ${root}/timed`), '981173106.123456789 0:0');
    assert.equal(sh(`cat ${root}/"$(printf 'not-\\377\\376-utf8')"`), 'bytes');
    docker('rm', '-f', 'copied');
  });

  test('COPY --from keeps attributes, capabilities and owners', () => {
    const context = join(files, 'stages');
    mkdirSync(context);
    writeFileSync(
      join(context, 'Dockerfile'),
      'FROM added:1 AS from\nFROM base:1\nCOPY --from=from /tree /tree\n',
    );
    const id = docker('build', '-q', context);
    docker('run', '-d', '--name', 'stages', id, 'sleep', '1000');
    const root = `/proc/${docker('inspect', '-f', '{{.State.Pid}}', 'stages')}/root/tree`;
    assert.equal(
      docker('exec', '-u', '1000', 'stages', '/tree/grep', 'CapEff', '/proc/self/status'),
      'CapEff:\t0000000000002000',
    );
    assert.equal(sh(`getfattr --absolute-names --only-values -n user.colour ${root}/attributed`), 'green');
    assert.equal(sh(`stat -c '%.9Y %u:%g' ${root}/timed`), '981173106.123456789 1234:5678');
    docker('rm', '-f', 'stages');
  });
});

test('a file with holes keeps them, and its bytes', () => {
  const context = join(files, 'sparse');
  mkdirSync(context);
  const script = 'dd if=/dev/zero of=/sparse bs=1M seek=1024 count=0 2>/dev/null; printf end >> /sparse';
  writeFileSync(join(context, 'Dockerfile'), `FROM base:1\nRUN ${script}\n`);
  docker('build', '-q', '-t', 'sparse:1', context);
  const look = () => {
    const text = docker('run', '--rm', 'sparse:1', 'sh', '-c', "stat -c '%s %b' /sparse; tail -c 3 /sparse");
    const [numbers = '', end] = text.split('\n');
    const [size, blocks = Infinity] = numbers.split(' ').map(Number);
    assert.deepEqual([size, end], [(1 << 30) + 3, 'end']);
    assert.ok(blocks < 1024, `${blocks} blocks`);
  };
  look();
  const archive = join(files, 'sparse.tar');
  docker('save', '-o', archive, 'sparse:1');
  assert.ok(statSync(archive).size < 16 << 20);
  docker('rmi', '-f', 'sparse:1');
  docker('image', 'prune', '-f');
  docker('load', '-i', archive);
  look();
});

test('deletions of files and directories, through the layers', () => {
  const context = join(files, 'deletions');
  mkdirSync(context);
  const lines = [
    'FROM base:1',
    'RUN mkdir -p /d/sub && touch /d/a /d/b /d/sub/c',
    'RUN rm /d/a',
    'RUN rm -r /d/sub && mkdir /d/sub && touch /d/sub/new',
    'RUN rm -r /d && touch /d',
  ];
  writeFileSync(join(context, 'Dockerfile'), `${lines.slice(0, 4).join('\n')}\n`);
  docker('build', '-t', 'deleted:1', context);
  const listing = (image: string) => docker('run', '--rm', image, 'find', '/d').split('\n').sort().join(' ');
  assert.equal(listing('deleted:1'), '/d /d/b /d/sub /d/sub/new');
  writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
  docker('build', '-t', 'deleted:2', context);
  assert.equal(docker('run', '--rm', 'deleted:2', 'stat', '-c', '%F', '/d'), 'regular empty file');
  const archive = join(files, 'deletions.tar');
  docker('save', '-o', archive, 'deleted:1');
  docker('rmi', '-f', 'deleted:1', 'deleted:2');
  docker('image', 'prune', '-f');
  docker('load', '-i', archive);
  assert.equal(listing('deleted:1'), '/d /d/b /d/sub /d/sub/new');
});

test('an image of 128 layers is built, runs, and travels', () => {
  const context = join(files, 'deep');
  mkdirSync(context);
  const copies = Array.from({ length: 127 }, (_, index) => `COPY <<E /deep/${index}\n${index}\nE`);
  writeFileSync(join(context, 'Dockerfile'), `FROM base:1\n${copies.join('\n')}\n`);
  docker('build', '-q', '-t', 'deep:1', context);
  const layers = JSON.parse(docker('inspect', '-f', '{{json .RootFS.Layers}}', 'deep:1')) as string[];
  assert.equal(layers.length, 128);
  const script = 'ls /deep | wc -l; cat /deep/0 /deep/126; rm /deep/5; ls /deep | wc -l';
  assert.equal(docker('run', '--rm', 'deep:1', 'sh', '-c', script), '127\n0\n126\n126');
  const archive = join(files, 'deep.tar');
  docker('save', '-o', archive, 'deep:1');
  docker('rmi', '-f', 'deep:1');
  docker('load', '-i', archive);
  assert.equal(docker('run', '--rm', 'deep:1', 'sh', '-c', script), '127\n0\n126\n126');
});
