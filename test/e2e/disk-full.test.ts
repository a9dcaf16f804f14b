import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { type CommandResult, ok, runCommand, startDaemon } from '../support/daemon.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

// The engine's root stands on a small file system of its own that runs full.

const files = temporaryDirectory({ after: (cleanUp) => process.once('exit', cleanUp) });
const disk = new SmallDisk(files, 64);
const root = join(disk.mountPoint, 'root');
const engine = await startDaemon({ after }, { root });
const docker = (...args: string[]) => engine.ok(args);

/** Everything a failed operation could have left half made. */
function state(): string {
  const lists = [
    ['image', 'ls', '-aq', '--no-trunc'],
    ['ps', '-aq', '--no-trunc'],
    ['volume', 'ls', '-q'],
  ].map((args) => docker(...args));
  const layers = runCommand('find', [
    join(root, 'snapshots'),
    '-maxdepth',
    '1',
    '-mindepth',
    '1',
    '-type',
    'd',
  ]);
  const blobs = runCommand('find', [join(root, 'content'), '-type', 'f', '-size', '+64k']);
  return [...lists, layers.stdout, blobs.stdout]
    .map((list) => list.split('\n').sort().join('\n'))
    .join('\n--\n');
}

async function failsFull(run: () => CommandResult): Promise<void> {
  const before = state();
  const usedBefore = disk.usedKiB();
  const result = run();
  assert.notEqual(result.code, 0);
  assert.match(result.stderr + result.stdout, /no space left on device/i);
  assert.equal(state(), before);
  // What was thrown away is deleted in the background. The database's log may have grown.
  await until(
    () => disk.usedKiB() <= usedBefore + 4096,
    () => `${disk.usedKiB() - usedBefore} kB more are used`,
    60,
  );
  assert.equal(docker('run', '--rm', 'base:1', 'echo', 'still works'), 'still works');
}

/** A root file system of one file, as large as the disk. */
function bigTar(): string {
  const tree = join(files, 'big');
  mkdirSync(tree, { recursive: true });
  const tar = join(files, 'big.tar');
  ok('dd', 'if=/dev/urandom', `of=${join(tree, 'file')}`, 'bs=1M', 'count=64', 'status=none');
  ok('tar', '-cf', tar, '-C', tree, '.');
  rmSync(tree, { recursive: true });
  return tar;
}

/** Another engine's archive of an image that is larger than the disk. */
async function bigArchive(): Promise<string> {
  const cleanUps: (() => Promise<void>)[] = [];
  const other = await startDaemon({ after: (cleanUp) => cleanUps.push(cleanUp) }, { base: false });
  try {
    const archive = join(files, 'archive.tar');
    other.ok(['import', bigTar(), 'big:1']);
    other.ok(['save', '-o', archive, 'big:1']);
    return archive;
  } finally {
    for (const cleanUp of cleanUps) await cleanUp();
  }
}

test('docker load of an image that does not fit', async () => {
  const archive = await bigArchive();
  await failsFull(() => engine.docker(['load', '-i', archive]));
});

test('docker import that does not fit', async () => {
  await failsFull(() => engine.docker(['import', join(files, 'big.tar'), 'big:1']));
});

test('docker build: a context, a COPY and a RUN that do not fit', async () => {
  const context = join(files, 'context');
  writeTree(context, { Dockerfile: 'FROM base:1\nRUN echo before\nCOPY part /part\n' });
  const build = (count: number) => {
    ok('dd', 'if=/dev/urandom', `of=${join(context, 'part')}`, 'bs=1M', `count=${count}`, 'status=none');
    return engine.docker(['build', '-t', 'big:1', context]);
  };
  // The steps before the failing one stay, as the cache of the next attempt.
  writeFileSync(join(context, 'part'), '');
  docker('build', context);
  await failsFull(() => build(70));
  await failsFull(() => build(24));
  writeTree(context, {
    Dockerfile: 'FROM base:1\nRUN echo before\nRUN dd if=/dev/zero of=/zero bs=1M count=70\n',
  });
  await failsFull(() => engine.docker(['build', context]));
});

test('a write in a container gets ENOSPC, and removing it frees the space', () => {
  const filled = engine.docker([
    'run',
    '--name',
    'filler',
    'base:1',
    'dd',
    'if=/dev/zero',
    'of=/zero',
    'bs=1M',
  ]);
  assert.equal(filled.code, 1);
  assert.match(filled.stderr, /No space left on device/);
  // A full disk: looking and removing still work.
  assert.match(docker('ps', '-a', '--format', '{{.Names}} {{.Status}}'), /^filler Exited \(1\)/);
  const created = engine.docker(['create', '--name', 'late', 'base:1', 'true']);
  if (created.code !== 0) assert.match(created.stderr, /no space left on device/i);
  docker('rm', '-f', 'filler');
  engine.docker(['rm', 'late']);
  assert.equal(docker('run', '--rm', 'base:1', 'echo', 'works again'), 'works again');
});

test('everything is there after a restart', async () => {
  await engine.end('SIGKILL');
  await engine.start();
  assert.equal(docker('run', '--rm', 'base:1', 'echo', 'works'), 'works');
});
