import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { engineConfig } from '../../src/config/index.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { readDisk, readKernel } from '../support/engine-state.ts';
import { untilNow } from '../support/event-times.ts';
import { processes } from '../support/proc.ts';
import { until } from '../support/until.ts';

/** A stop of a container that is deaf takes ten seconds, and a client that is waited for never ends. */
const shutdownLimitMs = 8_000;

/** A docker command that goes on by itself. */
function begin(t: TestContext, daemon: TestDaemon, args: readonly string[]): ChildProcess {
  const env = {
    ...process.env,
    DOCKER_CONFIG: join(daemon.directory, 'docker-config'),
    DOCKER_BUILDKIT: '0',
  };
  const child = spawn('docker', ['-H', daemon.host, ...args], { stdio: ['pipe', 'ignore', 'ignore'], env });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function shutdownMs(daemon: TestDaemon): Promise<number> {
  const begun = performance.now();
  assert.equal(await daemon.end('SIGTERM'), 0, daemon.log());
  return performance.now() - begun;
}

/** Processes whose command line is exactly these words. */
function pidsOf(...wanted: string[]): number[] {
  return processes()
    .filter(({ words }) => isDeepStrictEqual(words, wanted))
    .map(({ pid }) => pid);
}

test('SIGTERM ends builds, execs and attached clients at once and leaves containers running', async (t) => {
  const daemon = await startDaemon(t);
  const config = engineConfig({ root: daemon.root });
  const seconds = String(100_000 + (process.pid % 100_000));
  daemon.ok(['run', '-d', '--name', 'stays', 'base:1', 'sleep', '1000']);
  const context = join(daemon.directory, 'context');
  mkdirSync(context);
  writeFileSync(
    join(context, 'Dockerfile'),
    `FROM base:1\nRUN echo done > /step\nRUN ["sleep", "${seconds}"]\n`,
  );
  const clients = [
    begin(t, daemon, ['build', '-t', 'never', context]),
    begin(t, daemon, ['exec', '-i', 'stays', 'cat']),
    begin(t, daemon, ['attach', 'stays']),
    begin(t, daemon, ['logs', '-f', 'stays']),
    begin(t, daemon, ['events']),
    begin(t, daemon, ['wait', 'stays']),
    // It has no handler for SIGTERM.
    begin(t, daemon, ['stop', '-t', '100', 'stays']),
  ];
  const left = clients.map(async (client) => once(client, 'exit'));
  await until(() => pidsOf('sleep', seconds).length === 1, 'the build does not reach its second step');
  await until(() => {
    const told = ['events', '--since', '0', '--until', untilNow(), '--filter', 'event=kill'];
    return daemon.ok(told) !== '';
  }, 'the stop does not begin');
  const tookMs = await shutdownMs(daemon);
  await Promise.all(left);
  assert.deepEqual(pidsOf('sleep', seconds), []);
  assert.equal(readKernel(config).monitors.length, 1);
  const { strays, leases, temporary, containers, active } = readDisk(config);
  assert.deepEqual(
    [strays.length, leases, temporary.length, containers.length, active.length],
    [0, 0, 0, 1, 1],
  );

  for (let round = 0; round < 2; round += 1) {
    await daemon.start();
    const moreMs = tookMs - (await shutdownMs(daemon));
    assert.ok(moreMs < shutdownLimitMs, `${moreMs} ms more than a shutdown takes with nothing to end`);
  }
  await daemon.start();
  assert.equal(daemon.ok(['exec', 'stays', 'echo', 'alive']), 'alive');
  daemon.ok(['rm', '-f', 'stays']);
  assert.equal(await daemon.end('SIGTERM'), 0, daemon.log());
  assert.ok(!existsSync(config.run), 'the run directory is left');
  const kernel = readKernel(config);
  assert.deepEqual([kernel.mounts, kernel.namespaces.length, kernel.monitors.length], [0, 0, 0]);
  const roots = readdirSync('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`);
  const parents = ['/sys/fs/cgroup', ...roots].map((root) => join(root, config.cgroupParent));
  assert.deepEqual(
    parents.filter((path) => existsSync(path)),
    [],
  );
  await daemon.start();
});

test('what a shutdown stopped comes back as its restart policy says', async (t) => {
  const daemon = await startDaemon(t, { args: ['--shutdown', 'stop'] });
  const show = (name: string, format: string) => daemon.ok(['inspect', '-f', format, name]);
  const run = (name: string, ...options: string[]) =>
    daemon.ok(['run', '-d', '--name', name, '--stop-timeout', '1', ...options, 'base:1', 'sleep', '1000']);
  const backAgain = ['always', 'unless-stopped', 'on-failure'];
  for (const policy of backAgain) run(policy, '--restart', policy);
  run('stopped', '--restart', 'unless-stopped');
  daemon.ok(['stop', '-t', '0', 'stopped']);
  run('plain');
  // They can start only once the one that they need runs.
  const others = ['--network=container:always', '--pid=container:always', '--link=always'];
  for (const [index, option] of others.entries()) {
    run(`other${index}`, option, '--restart', 'unless-stopped');
    backAgain.push(`other${index}`);
  }
  daemon.ok(['run', '-d', '--name', 'waits', '--restart', 'unless-stopped', 'base:1', 'false']);
  await until(() => Number(show('waits', '{{.RestartCount}}')) > 3, 'it is not restarted', 60);
  assert.equal(await daemon.end('SIGTERM'), 0, daemon.log());
  const db = new DatabaseSync(join(daemon.root, 'gantry.db'));
  const left = db
    .prepare('SELECT count(*) AS count FROM containers WHERE state LIKE \'%"running":true%\'')
    .get();
  db.close();
  assert.deepEqual({ ...left }, { count: 0 });

  await daemon.start();
  for (const name of backAgain) {
    await until(() => show(name, '{{.State.Status}}') === 'running', `${name} does not come back`);
    assert.equal(show(name, '{{.RestartCount}}'), '0');
  }
  await until(
    () => Number(show('waits', '{{.RestartCount}}')) > 0,
    'what waited for its restart is forgotten',
  );
  assert.equal(show('stopped', '{{.State.Status}}'), 'exited');
  assert.equal(show('plain', '{{.State.Status}}'), 'exited');
});

/** Takes from the disk what a power loss right after the last answer would take, which a test cannot make happen. */
function losePower(daemon: TestDaemon, layersOf: string, containers: readonly string[]): void {
  const db = new DatabaseSync(join(daemon.root, 'gantry.db'));
  try {
    const row = db.prepare('SELECT layers FROM images WHERE id = ?').get(layersOf);
    const count = (JSON.parse(String(row?.['layers'])) as unknown[]).length;
    const rows = db.prepare("SELECT name, directory FROM snapshots WHERE kind = 'committed'").all();
    assert.equal(rows.length, count);
    for (const { name, directory } of rows) {
      db.prepare("UPDATE snapshots SET unsynced_boot = 'an earlier boot' WHERE name = ?").run(String(name));
      const fs = join(daemon.root, 'snapshots', String(directory), 'fs');
      for (const entry of readdirSync(fs)) rmSync(join(fs, entry), { recursive: true });
    }
    for (const id of containers) {
      const active = db.prepare('SELECT directory FROM snapshots WHERE name = ?').get(id);
      rmSync(join(daemon.root, 'snapshots', String(active?.['directory'])), { recursive: true });
      rmSync(join(daemon.root, 'containers', id), { recursive: true });
    }
  } finally {
    db.close();
  }
}

test('images and containers work after a power loss that took what was not on the disk', async (t) => {
  const daemon = await startDaemon(t);
  const context = join(daemon.directory, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), 'FROM base:1\nRUN echo step > /step\nCOPY Dockerfile /copied\n');
  daemon.ok(['build', '-q', '-t', 'built', context]);
  const id = daemon.ok(['inspect', '-f', '{{.Id}}', 'built']);
  const container = daemon.ok(['create', '--name', 'made', '-v', 'data:/data', 'built', 'cat', '/step']);
  assert.equal(await daemon.end('SIGTERM'), 0);
  losePower(daemon, id, [container]);
  rmSync(join(daemon.root, 'volumes/data'), { recursive: true });
  await daemon.start();
  assert.equal(daemon.ok(['start', '-a', 'made']), 'step');
  assert.match(daemon.ok(['run', '--rm', 'built', 'cat', '/copied']), /FROM base:1/);
  assert.match(daemon.ok(['build', context]), /Using cache\n ---> \w+\nStep 3\/3 .*\n ---> Using cache/);
});

test('an image whose layer cannot be made again is named, and loading it again heals it', async (t) => {
  const daemon = await startDaemon(t);
  const archive = join(daemon.directory, 'base.tar');
  daemon.ok(['save', '-o', archive, 'base:1']);
  const id = daemon.ok(['inspect', '-f', '{{.Id}}', 'base:1']);
  daemon.ok(['create', '--name', 'made', 'base:1', 'echo', 'healed']);
  const blobs = join(daemon.root, 'content/blobs/sha256');
  const layer = daemon.ok(['inspect', '-f', '{{index .RootFS.Layers 0}}', 'base:1']).slice('sha256:'.length);
  assert.equal(await daemon.end('SIGTERM'), 0);
  losePower(daemon, id, []);
  writeFileSync(join(blobs, layer), 'not what its name says');
  await daemon.start();
  assert.match(daemon.log(), /lost a layer when the machine lost power/);
  const failed = daemon.docker(['start', 'made']);
  assert.match(failed.stderr, /was lost when the machine lost power: load or build its image again/);
  daemon.ok(['load', '-i', archive]);
  assert.equal(daemon.ok(['start', '-a', 'made']), 'healed');
});
