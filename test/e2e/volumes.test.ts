import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { after, before } from 'node:test';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';

// Volumes as the docker CLI sees them: when they are filled, and when they go.

let engine: TestDaemon;
const files = mkdtempSync(join(tmpdir(), 'gantry-test-volumes-'));

before(async () => {
  engine = await openDaemon();
  writeFileSync(
    join(files, 'Dockerfile'),
    'FROM base:1\nRUN mkdir /data && echo seeded > /data/f && chown 7:8 /data/f\nVOLUME /data\n',
  );
  docker('build', '-q', '-t', 'seed:1', files);
});
after(async () => {
  rmSync(files, { recursive: true, force: true });
  await engine.destroy();
});

const docker = (...args: string[]) => engine.ok(args);
const run = (...args: string[]) => engine.ok(['run', '--rm', ...args]);

test('an empty named volume is filled from the image when a container is made', () => {
  assert.equal(
    run('-v', 'seeded:/data', 'seed:1', 'sh', '-c', 'cat /data/f; stat -c %u:%g /data/f; echo x > /data/g'),
    'seeded\n7:8',
  );
  assert.equal(run('-v', 'seeded:/data', 'seed:1', 'sh', '-c', 'rm /data/f; ls /data'), 'g');
  assert.equal(run('-v', 'seeded:/data', 'seed:1', 'sh', '-c', 'ls /data; rm /data/g'), 'g');
  assert.equal(run('-v', 'seeded:/data', 'seed:1', 'ls', '/data'), 'f', 'it was empty again');
  docker('volume', 'rm', 'seeded');
});

test('a volume that was used before the image had anything for it is filled', () => {
  run('-v', 'early:/x', 'base:1', 'true');
  assert.equal(run('-v', 'early:/data', 'seed:1', 'cat', '/data/f'), 'seeded');
  docker('volume', 'rm', 'early');
});

test('a container that was only made has its volume filled: for docker cp, and for other containers', () => {
  const id = docker('create', '-v', 'made:/data', 'seed:1', 'true');
  docker('cp', `${id}:/data/f`, join(files, 'copied'));
  assert.equal(readFileSync(join(files, 'copied'), 'utf8'), 'seeded\n');
  assert.equal(run('--volumes-from', id, 'base:1', 'ls', '/data'), 'f');
  docker('cp', join(files, 'copied'), `${id}:/data/mine`);
  docker('start', '-a', id);
  assert.equal(run('-v', 'made:/d', 'base:1', 'ls', '/d'), 'f\nmine');
  docker('rm', id);
  docker('volume', 'rm', 'made');
});

test('nocopy and --volumes-from leave an empty volume empty', () => {
  assert.equal(run('-v', 'empty:/data:nocopy', 'seed:1', 'ls', '/data'), '');
  const id = docker('create', '-v', 'empty:/data', 'base:1', 'true');
  assert.equal(run('--volumes-from', id, 'seed:1', 'ls', '/data'), '');
  docker('rm', id);
  docker('volume', 'rm', 'empty');
});

test('a mount that `update` adds is filled too', () => {
  writeFileSync(join(files, 'Dockerfile'), 'FROM base:1\nRUN mkdir /more && echo more > /more/f\n');
  docker('build', '-q', '-t', 'more:1', files);
  docker('run', '-d', '--name', 'growing', 'more:1', 'sleep', '1000');
  const updated = engine.gantry(['update', '--mount', 'type=volume,src=added,dst=/more', 'growing']);
  assert.equal(updated.code, 0, updated.stderr);
  assert.equal(docker('exec', 'growing', 'cat', '/more/f'), 'more');
  docker('rm', '-f', 'growing');
  docker('volume', 'rm', 'added');
});

test('a start that fails for one part of a volume leaves no mount of the others', () => {
  run('-v', 'parts:/v', 'base:1', 'sh', '-c', 'mkdir /v/b /v/c /v/d; echo kept > /v/c/f');
  const part = (at: string, subpath: string) => [
    '--mount',
    `type=volume,src=parts,dst=${at},volume-subpath=${subpath}`,
  ];
  const mounts = [...part('/a', 'missing'), ...part('/b', 'b'), ...part('/c', 'c'), ...part('/d', 'd')];
  const failed = engine.since(26, ['run', '--name', 'parted', ...mounts, 'base:1', 'true']);
  assert.match(failed.stderr, /cannot access path .*missing/);
  const data = docker('volume', 'inspect', '-f', '{{.Mountpoint}}', 'parts');
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(dirname(data)));
  assert.deepEqual(readdirSync(dirname(data)), ['_data']);
  assert.equal(readFileSync(join(data, 'c/f'), 'utf8'), 'kept\n');
  docker('rm', 'parted');
  docker('volume', 'rm', 'parts');
});

test('a directory of the host that -v made is made again when it has gone, for a start and for docker cp', () => {
  const [bound, mounted] = [join(files, 'bound'), join(files, 'mounted')];
  mkdirSync(mounted);
  docker('create', '--name', 'bound', '-v', `${bound}/deep:/x`, 'base:1', 'ls', '-d', '/x');
  docker('create', '--name', 'mounted', '--mount', `type=bind,src=${mounted},dst=/x`, 'base:1', 'true');
  for (const directory of [bound, mounted]) rmSync(directory, { recursive: true });
  docker('cp', 'bound:/etc/passwd', join(files, 'passwd'));
  assert.deepEqual(readdirSync(bound), ['deep']);
  rmSync(bound, { recursive: true });
  assert.equal(docker('start', '-a', 'bound'), '/x');
  assert.match(engine.docker(['start', 'mounted']).stderr, /no such file or directory/);
  assert.match(
    engine.docker(['cp', 'mounted:/etc/passwd', files]).stderr,
    /bind source path does not exist: .*mounted/,
  );
  docker('rm', 'bound', 'mounted');
});

test('anonymous volumes go with --rm and rm -v, and stay with rm', () => {
  run('seed:1', 'true');
  assert.equal(docker('volume', 'ls', '-q'), '');
  docker('run', '--name', 'anon', 'seed:1', 'true');
  const volume = docker('inspect', '-f', '{{range .Mounts}}{{.Name}}{{end}}', 'anon');
  assert.match(volume, /^[0-9a-f]{64}$/);
  assert.match(engine.docker(['volume', 'rm', volume]).stderr, /volume is in use/);
  docker('rm', 'anon');
  assert.equal(docker('volume', 'ls', '-q'), volume);
  docker('volume', 'rm', volume);
});
