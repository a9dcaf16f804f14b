import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, afterEach, before, beforeEach } from 'node:test';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';

// Images that containers mount: `--mount type=image`.

let engine: TestDaemon;
const files = mkdtempSync(join(tmpdir(), 'gantry-test-images-'));

before(async () => {
  engine = await openDaemon();
});
beforeEach(() => {
  build(
    'tools:1',
    'FROM base:1\nRUN mkdir /opt && echo one >/opt/f && ln -s /etc /away && ln -s opt /near\n',
  );
});
after(async () => {
  rmSync(files, { recursive: true, force: true });
  await engine.destroy();
});
afterEach(() => {
  for (const id of engine.ok(['ps', '-aq']).split('\n')) if (id !== '') engine.docker(['rm', '-f', id]);
});

const docker = (...args: string[]) => engine.ok(args);
const cli = (...args: string[]) => engine.since(28, args);
const image = (source: string, target: string, ...more: string[]) => [
  '--mount',
  [`type=image,src=${source},dst=${target}`, ...more].join(','),
];

function build(name: string, dockerfile: string): void {
  writeFileSync(join(files, 'Dockerfile'), dockerfile);
  docker('build', '-q', '-t', name, files);
}

function run(...args: string[]): string {
  const { code, stdout, stderr } = cli('run', '--rm', ...args);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

test('an image is mounted whole or a part of it, read-only, as often as asked for', () => {
  assert.equal(run(...image('tools:1', '/tools'), 'base:1', 'cat', '/tools/opt/f'), 'one');
  const both = [...image('tools:1', '/a'), ...image('tools:1', '/b', 'image-subpath=near')];
  assert.equal(run(...both, 'base:1', 'cat', '/a/opt/f', '/b/f'), 'one\none');
  assert.equal(run(...image('tools:1', '/file', 'image-subpath=opt/f'), 'base:1', 'cat', '/file'), 'one');
  const written = cli('run', '--rm', ...image('tools:1', '/tools'), 'base:1', 'touch', '/tools/x');
  assert.match(written.stderr, /Read-only file system/);
  assert.deepEqual(readdirSync(join(engine.root, 'snapshots', 'views')), [], 'the host keeps no mount');
});

test('inspect tells of it, and how to make the container again', () => {
  cli('create', '--name', 'shown', ...image('tools:1', '/tools', 'image-subpath=opt'), 'base:1', 'true');
  const [mount] = JSON.parse(docker('inspect', '-f', '{{json .Mounts}}', 'shown')) as object[];
  assert.deepEqual(mount, {
    Type: 'image',
    Name: 'tools:1',
    Source: '',
    Destination: '/tools',
    Mode: '',
    RW: false,
    Propagation: '',
  });
  assert.match(
    engine.gantry(['inspect', '--as-run', 'shown']).stdout,
    /--mount type=image,src=tools:1,dst=\/tools,image-subpath=opt/,
  );
  assert.match(
    engine.gantry(['inspect', '--as-compose', 'shown']).stdout,
    /type: image\n\s+source: tools:1\n\s+target: \/tools\n\s+image:\n\s+subpath: opt/,
  );
});

test('an image that is not there, or a path that is not in it, is an error', () => {
  for (const [options, exitCode, text] of [
    [image('nope:1', '/x'), 125, /No such image: nope:1/],
    // The CLI takes any such text for a missing command.
    [
      image('tools:1', '/x', 'image-subpath=none'),
      127,
      /cannot access path .*none: no such file or directory/,
    ],
    [image('tools:1', '/x', 'image-subpath=away'), 125, /subpath "away" is not within the image/],
    [image('tools:1', '/x', 'image-subpath=../x'), 125, /subpath must be a relative path/],
  ] as const) {
    const { code, stderr } = cli('run', ...options, 'base:1', 'true');
    assert.match(stderr, text);
    assert.equal(code, exitCode, stderr);
  }
});

test('a mounted image is in use; removed by force its files stay for the container', async () => {
  build('going:1', 'FROM base:1\nRUN echo going >/f\n');
  cli('run', '-d', '--name', 'user', ...image('going:1', '/i'), 'base:1', 'sleep', '1000');
  assert.match(
    engine.docker(['rmi', 'going:1']).stderr,
    /container [0-9a-f]{12} is using its referenced image/,
  );
  docker('image', 'prune', '-af');
  assert.equal(docker('exec', 'user', 'cat', '/i/f'), 'going');

  await engine.end('SIGKILL');
  await engine.start();
  assert.equal(docker('exec', 'user', 'cat', '/i/f'), 'going');
  docker('stop', '-t', '0', 'user');
  docker('rmi', '-f', 'going:1');
  assert.equal(engine.docker(['image', 'inspect', 'going:1']).code, 1);
  const layers = () => readdirSync(join(engine.root, 'snapshots', 'l')).length;
  const before = layers();
  docker('start', 'user');
  assert.equal(docker('exec', 'user', 'cat', '/i/f'), 'going');
  docker('rm', '-f', 'user');
  docker('image', 'prune', '-f');
  assert.equal(layers(), before - 1, 'its layer goes with the last container that mounts it');
});

test('docker cp, --volumes-from and update know it', () => {
  cli('create', '--name', 'first', ...image('tools:1', '/tools'), 'base:1', 'cat', '/tools/opt/f');
  docker('cp', 'first:/tools/opt/f', join(files, 'copied'));
  assert.equal(docker('run', '--rm', '--volumes-from', 'first', 'base:1', 'cat', '/tools/opt/f'), 'one');
  docker('run', '-d', '--name', 'later', '--stop-signal', 'KILL', 'base:1', 'sleep', '1000');
  const updated = engine.gantry(['update', ...image('tools:1', '/late'), 'later']);
  assert.equal(updated.code, 0, updated.stderr);
  assert.equal(docker('exec', 'later', 'cat', '/late/opt/f'), 'one');
  assert.match(engine.docker(['rmi', 'tools:1']).stderr, /is using its referenced image/);
});
