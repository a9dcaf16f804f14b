import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { runCommand, startDaemon } from '../support/daemon.ts';
import { until } from '../support/until.ts';

// The commands of our own CLI that no other file runs, on one container and what belongs to it.

const engine = await startDaemon({ after });
const file = (name: string) => join(engine.directory, name);

/** What ours prints, trimmed; fails the test when it fails. */
function ok(...args: string[]): string {
  const { code, stdout, stderr } = engine.gantry(args);
  assert.equal(code, 0, `gantry ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

/** The same of both CLIs; what they print. */
function same(...args: string[]): string {
  const gantry = engine.gantry(args);
  assert.deepEqual(gantry, engine.docker(args));
  assert.equal(gantry.code, 0, gantry.stderr);
  return gantry.stdout.trim();
}

const status = () => engine.ok(['inspect', '-f', '{{.State.Status}}', 'one']);

test('create and start', () => {
  const script = 'echo one; echo two; echo note > /note; exec sleep 1000';
  const options = ['--name', 'one', '-p', '127.0.0.1::80', '-v', '/data'];
  assert.match(ok('create', ...options, 'base:1', 'sh', '-c', script), /^[0-9a-f]{64}$/);
  assert.equal(ok('start', 'one'), 'one');
  assert.equal(status(), 'running');
});

test('start -a -i gives and takes streams, and the exit code', () => {
  ok('create', '-i', '--name', 'ended', 'base:1', 'sh', '-c', 'cat; echo wrong >&2; exit 4');
  const { code, stdout, stderr } = engine.gantry(['start', '-a', '-i', 'ended'], { input: 'in\n' });
  assert.deepEqual([code, stdout, stderr], [4, 'in\n', 'wrong\n']);
});

test('port, top and diff', async () => {
  assert.match(same('port', 'one'), /^80\/tcp -> 127\.0\.0\.1:\d+$/);
  assert.match(same('port', 'one', '80'), /^127\.0\.0\.1:\d+$/);
  assert.equal(engine.gantry(['port', 'one', '81']).code, 1);
  await until(() => ok('diff', 'one').includes('/note'), 'the note is not there');
  assert.equal(same('diff', 'one'), 'A /data\nA /note');
  assert.match(same('top', 'one', '-o', 'pid,args'), /^PID +COMMAND\n\d+ +sleep 1000$/);
});

test('logs -f, --tail, --since, --until and -t', () => {
  const [first = '', second = ''] = ok('logs', '-t', 'one').split('\n');
  assert.match(first, /^\d{4}-\d\d-\d\dT[\d:.]+Z one$/);
  assert.equal(same('logs', '-t', 'one'), `${first}\n${second}`);
  assert.equal(same('logs', '--tail', '1', 'one'), 'two');
  const [before, now] = ['2001-01-01T00:00:00Z', '0s'];
  assert.deepEqual(
    [same('logs', '--since', before, 'one'), same('logs', '--until', before, 'one')],
    ['one\ntwo', ''],
  );
  assert.deepEqual(
    [same('logs', '--since', now, 'one'), same('logs', '--until', now, 'one')],
    ['', 'one\ntwo'],
  );
  assert.equal(same('logs', '-f', 'ended'), 'in');
});

test('pause, unpause, rename, restart, kill and wait', () => {
  assert.equal(ok('pause', 'one'), 'one');
  assert.equal(status(), 'paused');
  assert.equal(ok('unpause', 'one'), 'one');
  assert.equal(ok('rename', 'one', 'other'), '');
  assert.equal(ok('rename', 'other', 'one'), '');
  const pid = () => engine.ok(['inspect', '-f', '{{.State.Pid}}', 'one']);
  const before = pid();
  assert.equal(ok('restart', '-t', '0', 'one'), 'one');
  assert.notEqual(pid(), before);
  assert.equal(ok('kill', '-s', 'KILL', 'one'), 'one');
  assert.equal(ok('wait', 'one'), '137');
  assert.equal(status(), 'exited');
});

test('commit, tag, history, save, load and export', () => {
  const change = ['-c', 'CMD ["cat", "/note"]'];
  const id = ok('commit', '-a', 'Ann <ann@example>', '-m', 'by hand', '-p=false', ...change, 'one', 'made:1');
  const fields = '{{.Id}} {{.Author}} {{.Comment}}';
  assert.equal(engine.ok(['inspect', '-f', fields, 'made:1']), `${id} Ann <ann@example> by hand`);
  assert.equal(ok('tag', 'made:1', 'made:2'), '');
  assert.equal(same('history', '-q', '--no-trunc', 'made:2').split('\n')[0], id);
  assert.equal(ok('save', '-o', file('made.tar'), 'made:1'), '');
  ok('rmi', 'made:1', 'made:2');
  assert.equal(ok('load', '-i', file('made.tar')), 'Loaded image: made:1');
  assert.equal(ok('run', '--rm', 'made:1'), 'note');
  assert.equal(ok('export', '-o', file('one.tar'), 'one'), '');
  assert.equal(runCommand('tar', ['-xOf', file('one.tar'), 'note']).stdout, 'note\n');
});

test('network create, connect, disconnect and rm; volume create and rm', () => {
  assert.match(ok('network', 'create', 'own'), /^[0-9a-f]{64}$/);
  const networks = () => engine.ok(['inspect', '-f', '{{len .NetworkSettings.Networks}}', 'one']);
  assert.equal(ok('network', 'connect', 'own', 'one'), '');
  assert.equal(networks(), '2');
  assert.equal(ok('network', 'disconnect', 'own', 'one'), '');
  assert.equal(networks(), '1');
  assert.equal(ok('network', 'rm', 'own'), 'own');
  assert.equal(ok('volume', 'create', 'kept'), 'kept');
  assert.equal(ok('volume', 'rm', 'kept'), 'kept');
});

test('info and version', () => {
  same('info', '-f', '{{.ServerVersion}} {{.Driver}} {{.NCPU}} {{.Containers}}');
  assert.match(ok('info'), /^ Storage Driver: overlay2$/m);
  same('version', '-f', '{{.Server.Version}} {{.Server.MinAPIVersion}}');
  assert.match(ok('version'), /^Client: Gantry\n[\s\S]*\nServer: Gantry\n/);
});

test('rm and builder prune', () => {
  ok('start', 'one');
  assert.equal(engine.gantry(['rm', 'one']).code, 1);
  assert.equal(ok('rm', '-f', '-v', 'one', 'ended'), 'one\nended');
  assert.equal(engine.ok(['ps', '-aq']), '');
  assert.equal(engine.ok(['volume', 'ls', '-q']), '');
  assert.match(ok('builder', 'prune', '-f'), /^Total reclaimed space: 0B$/);
});
