import { join } from 'node:path';
import { inspect, parseArgs } from 'node:util';
import { contextTar } from '../integration/crash-context.ts';
import { World } from '../integration/crash-world.ts';
import { callEngine } from '../support/engine-call.ts';
import { temporaryDirectory } from '../support/files.ts';
import { randomFrom } from '../support/random.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { imageArchives } from './archives.ts';
import { checkout, engineSocket, install, restartEngine } from './install.ts';
import { Machine } from './machine.ts';
import { openRelay } from './relay.ts';
import { type Bench, check, comeBack, engineAnswers, runImages, workAndCut } from './round.ts';

// Takes the power from a machine whose engine works, and looks at what is left when it is back (docs/stress.md).
// node test/power-cut/run.ts MACHINE [--rounds 20] [--work 24] [--seed N]

const latestMs = 1000;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '20' },
    work: { type: 'string', default: '24' },
    seed: { type: 'string' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const rounds = Number(values.rounds);
const directory = temporaryDirectory({ after: (cleanUp) => process.once('exit', cleanUp) });
const root = `/var/lib/gantry-power-cut-${seed}`;
const machine = new Machine(positionals[0] ?? '');
const random = randomFrom(seed);

say(`seed ${seed}, ${rounds} rounds`);
await machine.up();
await install(machine, directory, root);
const socket = join(directory, 'engine.sock');
using _relay = await openRelay(machine, socket, engineSocket);
const host = `unix://${socket}`;
await engineAnswers(host);
const archives = imageArchives(directory, await machine.run(`sh ${checkout}/scripts/busybox-image.sh`));
const networks = ['first', 'second'];
await prepare();
await restartEngine(machine);
await engineAnswers(host);

const acknowledgements = new Acknowledgements();
const context = contextTar(join(directory, 'context'));
const world = new World({
  host,
  random,
  networks,
  archives: archives.loadable,
  context,
  onAnswer: acknowledgements.add,
});
const engine = { root, host: `unix://${engineSocket}` };
const bench: Bench = {
  machine,
  world,
  acknowledgements,
  random,
  longestWorkMs: Number(values.work) * 1000,
  host,
  engine,
};
for (let done = 0, round = 1; done < rounds; round += 1) {
  try {
    if (await playRound(round)) done += 1;
  } catch (error) {
    say(`round ${round} of seed ${seed} failed; the machine is left as it is. Acknowledged:`);
    say(inspect({ ...world }, { depth: null, maxArrayLength: null }));
    throw error;
  }
}
say(`acknowledged: ${world.summary()}`);
process.exit(0); // Idle connections of the relay would wait for the machine.

/** False when the cut came too late after what was acknowledged. */
async function playRound(round: number): Promise<boolean> {
  const begun = performance.now();
  const before = new Set(world.images.keys());
  const count = acknowledgements.count;
  const lateMs = await workAndCut(bench);
  const cutAt = performance.now();
  await comeBack(bench);
  const answeredAt = performance.now();
  await check(bench);
  const made = [...world.images.keys()].filter((name) => !before.has(name));
  await runImages(bench, made);
  const seconds = (from: number, to: number) => Math.round((to - from) / 1000);
  say(
    `round ${round}: ${acknowledgements.count - count} acknowledged, cut ${Math.round(lateMs)} ms after the last, ` +
      `engine answers after ${seconds(cutAt, answeredAt)} s, ${world.containers.size} containers, ` +
      `${made.length} new images, ${seconds(begun, performance.now())} s in all`,
  );
  return lateMs <= latestMs;
}

async function prepare(): Promise<void> {
  await callEngine(host, { method: 'POST', path: '/images/load', body: archives.base });
  for (const Name of networks)
    await callEngine(host, { method: 'POST', path: '/networks/create', body: { Name } });
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
