import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { type CommandResult, startDaemon } from '../support/daemon.ts';
import { callEngine } from '../support/engine-call.ts';
import { temporaryDirectory } from '../support/files.ts';
import { SmallDisk } from '../support/small-disk.ts';

// Containers on a disk that is full to the last block: what needs none works, the rest fails with a clear error and
// leaves nothing, and everything works again when there is space.

const files = temporaryDirectory({ after: (cleanUp) => process.once('exit', cleanUp) });
const disk = new SmallDisk(files, 64);
const engine = await startDaemon({ after }, { root: join(disk.mountPoint, 'root') });
const docker = (...args: string[]) => engine.ok(args);
const noSpace = /no space left on device/i;

/** What a failed operation could have left half made. */
function state(): string {
  const lists = [
    ['image', 'ls', '-aq', '--no-trunc'],
    ['ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.State}} {{.Networks}}'],
    ['volume', 'ls', '-q'],
    ['network', 'ls', '-q'],
  ];
  return lists.map((args) => docker(...args)).join('\n--\n');
}

let known: string | undefined;

/** Works, or fails for want of space and changes nothing; true when it worked. */
function worksOrIsFull(...args: string[]): boolean {
  known ??= state();
  const result: CommandResult = engine.docker(args, { timeoutMs: 60_000 });
  if (result.code === 0) {
    known = undefined;
    return true;
  }
  assert.match(result.stderr, noSpace, `docker ${args.join(' ')} (${result.code})\n${engine.log()}`);
  assert.equal(state(), known, `docker ${args.join(' ')}`);
  return false;
}

const loop = 'trap "exit 0" TERM; while :; do sleep 0.1; done';
const filling = `dd if=/dev/zero of=/zero bs=64k 2>&1; echo full; ${loop}`;

test('running containers go on when one of them has filled the disk', async () => {
  writeFileSync(join(files, 'part'), Buffer.alloc(100_000));
  docker('run', '-d', '--name', 'keeper', 'base:1', 'sh', '-c', `echo begun; ${loop}`);
  docker('create', '--name', 'made', 'base:1', 'echo', 'made');
  docker('run', '--name', 'ended', 'base:1', 'sh', '-c', 'echo text >/file');
  docker('run', '-d', '--name', 'writer', 'base:1', 'sh', '-c', filling);
  for (let attempt = 0; !docker('logs', 'writer').includes('full'); attempt += 1) {
    assert.ok(attempt < 200);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.match(docker('logs', 'writer'), /No space left on device/);
  disk.fill();
  assert.equal(docker('inspect', '-f', '{{.State.Running}}', 'keeper', 'writer'), 'true\ntrue');
});

test('what needs no space works on the full disk', () => {
  assert.equal(docker('logs', 'keeper'), 'begun');
  assert.match(
    docker('ps', '-a', '--format', '{{.Names}} {{.State}}'),
    /writer running\nended exited\nmade created\nkeeper running/,
  );
  assert.match(docker('top', 'keeper'), /sleep/);
  docker('cp', 'keeper:/etc/hostname', join(files, 'copied'));
  docker('stats', '--no-stream', 'keeper');
  docker('system', 'df');
  assert.equal(docker('exec', 'keeper', 'echo', 'inside'), 'inside');
});

test('what needs space says that there is none, and leaves nothing', () => {
  assert.equal(worksOrIsFull('cp', join(files, 'part'), 'ended:/part'), false);
  assert.equal(worksOrIsFull('cp', join(files, 'part'), 'keeper:/part'), false);
  assert.equal(worksOrIsFull('commit', 'writer', 'committed:1'), false);
  for (let round = 0; round < 3; round += 1) {
    worksOrIsFull('create', '--name', `late-${round}`, 'base:1', 'true');
    worksOrIsFull('run', '-d', '--name', `run-${round}`, 'base:1', 'sh', '-c', loop);
    worksOrIsFull('start', 'made');
    worksOrIsFull('rename', 'ended', `renamed-${round}`);
    worksOrIsFull('rename', `renamed-${round}`, 'ended');
    worksOrIsFull('update', '--memory', `${64 + round}m`, '--memory-swap', '-1', 'keeper');
    worksOrIsFull('volume', 'create', `volume-${round}`);
    worksOrIsFull('network', 'create', `network-${round}`);
    worksOrIsFull('pause', 'keeper');
    worksOrIsFull('unpause', 'keeper');
    disk.fill();
  }
});

test('the API answers 500 with the reason', async () => {
  const { status, body } = await callEngine(engine.host, {
    method: 'POST',
    path: '/commit?container=writer',
  });
  assert.equal(status, 500, body);
  assert.match(body, noSpace);
});

test('the daemon starts on a full disk and finds its containers', async () => {
  disk.fill();
  await engine.end('SIGKILL');
  await engine.start();
  assert.match(docker('ps', '--format', '{{.Names}}'), /writer[^]*keeper/);
  assert.equal(docker('exec', 'keeper', 'echo', 'inside'), 'inside');
});

test('a running container can be stopped and removed, which frees its space', () => {
  disk.fill();
  docker('stop', 'keeper');
  docker('stop', 'writer');
  assert.equal(docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'writer'), 'exited 0');
  docker('rm', 'writer');
});

test('everything works again', async () => {
  disk.release();
  docker('start', 'keeper');
  assert.equal(docker('start', '-a', 'made'), 'made');
  docker('cp', join(files, 'part'), 'keeper:/part');
  docker('commit', 'keeper', 'committed:1');
  assert.equal(docker('run', '--rm', 'committed:1', 'wc', '-c', '/part'), '100000 /part');
  await engine.end('SIGTERM');
  await engine.start();
  docker('rm', '-f', ...docker('ps', '-aq').split('\n'));
});
