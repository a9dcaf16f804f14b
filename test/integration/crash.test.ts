import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineConfig } from '../../src/config/index.ts';
import { size } from '../stress/size.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { readDisk } from '../support/engine-state.ts';
import { randomFrom } from '../support/random.ts';
import { checkNow } from './crash-check.ts';
import { contextTar } from './crash-context.ts';
import { World } from './crash-world.ts';

// GANTRY_TEST_SEED repeats a run's choices (not its timing); GANTRY_STRESS_KILLS and _KILL_SECONDS its length.

const workers = 5;
const startLimitMs = 60_000;
/** What was just dying is dead by then, and what a restart policy wants runs. */
const settleMs = 15_000;

test('a daemon killed at any moment starts again with all it acknowledged and nothing half made', async (t) => {
  const seed = Number(process.env['GANTRY_TEST_SEED'] ?? Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const random = randomFrom(seed);
  const daemon = await startDaemon(t);
  const networks = ['first', 'second'];
  for (const name of networks) daemon.ok(['network', 'create', name]);
  const context = contextTar(join(daemon.directory, 'context'));
  const archives = loadableArchives(daemon);
  const kill = (pid: number) => process.kill(pid, 'SIGKILL');
  const world = new World({ host: daemon.host, random, networks, archives, context, kill });
  const starts: number[] = [];
  const deadline = performance.now() + size.killSeconds * 1000;
  for (let round = 1; round <= size.kills && performance.now() < deadline; round += 1) {
    const working = Promise.all(Array.from({ length: workers }, async () => world.work()));
    working.catch(() => undefined); // Awaited below.
    await sleep(random() * 700);
    await daemon.end('SIGKILL');
    await working;
    if (random() < 0.5) killSome(world);
    if (round % 3 === 0) await startAndKill(daemon, random() * 800);
    const startedAt = performance.now();
    await daemon.start();
    starts.push(performance.now() - startedAt);
    await check(world, daemon, `round ${round} (seed ${seed})`);
  }
  // One start may be slow on a busy machine; half of them are not.
  const medianMs = starts.sort((a, b) => a - b)[Math.floor(starts.length / 2)] ?? 0;
  t.diagnostic(`${starts.length} rounds, half of the starts within ${Math.round(medianMs)} ms`);
  assert.ok(medianMs < startLimitMs, `half of the starts took over ${medianMs} ms`);
  checkUsable(world, daemon);
  t.diagnostic(`acknowledged: ${world.summary()}`);
});

/** Ends processes of containers while no daemon sees it. */
function killSome(world: World): void {
  for (const one of world.someRunning()) {
    if (one.pid === undefined) continue;
    process.kill(one.pid, 'SIGKILL');
    if (one.known.policy === '') one.known = { ...one.known, state: 'stopped', exitCode: undefined };
  }
}

/** Killed again while it recovers. */
async function startAndKill(daemon: TestDaemon, afterMs: number): Promise<void> {
  const starting = daemon.start();
  await sleep(afterMs);
  await daemon.end('SIGKILL');
  await starting.catch(() => undefined);
}

async function check(world: World, daemon: TestDaemon, when: string): Promise<void> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    try {
      const { host, root } = daemon;
      world.adopt(await checkNow({ told: world, host, root, after: 'kill', when }));
      return;
    } catch (error) {
      if (!(error instanceof assert.AssertionError) || performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}

/** Every image runs, every container starts and goes, and then nothing is left. */
function checkUsable(world: World, daemon: TestDaemon): void {
  for (const [name, command] of world.images) daemon.ok(['run', '--rm', name, ...command]);
  for (const { id, known } of world.containers.values()) {
    if (known.state === 'paused') daemon.ok(['unpause', id]);
    daemon.ok(['start', id]);
    daemon.ok(['rm', '-fv', id]);
  }
  assert.equal(daemon.ok(['volume', 'ls', '-q', '-f', 'label=com.docker.volume.anonymous']), '');
  const names = daemon.ok(['images', '-q']).split('\n');
  daemon.ok(['rmi', '-f', ...new Set(names)]);
  daemon.ok(['image', 'prune', '-af']);
  const { garbage, strays } = readDisk(engineConfig({ root: daemon.root }));
  assert.deepEqual({ garbage, strays }, { garbage: [], strays: [] });
}

/** Four images to load, each with a layer of its own. */
function loadableArchives(daemon: TestDaemon): Buffer[] {
  return [0, 1, 2, 3].map((index) => {
    const id = daemon.ok(['create', 'base:1', 'true']);
    daemon.ok(['cp', join(daemon.directory, 'context'), `${id}:/loaded-${index}`]);
    daemon.ok(['commit', id, `loaded:${index}`]);
    daemon.ok(['rm', id]);
    const file = join(daemon.directory, `loaded-${index}.tar`);
    daemon.ok(['save', '-o', file, `loaded:${index}`]);
    daemon.ok(['rmi', `loaded:${index}`]);
    return readFileSync(file);
  });
}
