import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import type { Tracked } from '../integration/crash-told.ts';
import type { World } from '../integration/crash-world.ts';
import { callEngine, Gone, getJson } from '../support/engine-call.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import { checkout, compileCache } from './install.ts';
import type { Machine } from './machine.ts';

export interface Bench {
  readonly machine: Machine;
  readonly world: World;
  readonly acknowledgements: Acknowledgements;
  readonly random: () => number;
  /** The power goes that long after the first call, at the latest. */
  readonly longestWorkMs: number;
  /** The relay's socket here, as a host. */
  readonly host: string;
  /** In the machine. */
  readonly engine: { readonly root: string; readonly host: string };
}

const workers = 4;
const startLimitMs = 600_000;

/** Works until a random moment within a second of an acknowledgement, then takes the power. Returns how late it was. */
export async function workAndCut(bench: Bench): Promise<number> {
  const { machine, world, acknowledgements, random, longestWorkMs } = bench;
  const working = Promise.all(Array.from({ length: workers }, async () => world.work()));
  const early = working.then(() => assert.fail('the engine went away before the power was cut'));
  early.catch(() => undefined); // Only of interest until the cut.
  await Promise.race([sleep((0.2 + 0.8 * random()) * longestWorkMs), early]);
  await Promise.race([once(acknowledgements, 'one'), early]);
  await sleep(random() * 700);
  await machine.cut();
  const lateMs = performance.now() - acknowledgements.lastAt;
  await working;
  return lateMs;
}

/** Boots the machine and waits, doing nothing, until its engine answers. */
export async function comeBack({ machine, host }: Bench): Promise<void> {
  await machine.up();
  await engineAnswers(host);
}

export async function engineAnswers(host: string): Promise<void> {
  const deadline = performance.now() + startLimitMs;
  for (;;) {
    try {
      await getJson(host, '/version');
      return;
    } catch (error) {
      if (!(error instanceof Gone) || performance.now() > deadline) throw error;
      await sleep(2000);
    }
  }
}

/** Compares what was acknowledged with what is there, in the machine; then takes what is there for known. */
export async function check({ machine, world, engine }: Bench): Promise<void> {
  const node = `NODE_COMPILE_CACHE=${compileCache} node_modules/node/bin/node --disable-warning=ExperimentalWarning`;
  const command = `cd ${checkout} && ${node} test/power-cut/check.ts ${engine.root} ${engine.host}`;
  // A record is all that can be sent of a world.
  const output = await machine.run(command, serialize({ ...world }));
  world.adopt(deserialize(output) as Tracked[]);
}

/** Runs every image of `names`: its command finds the files that the image is made of. */
export async function runImages({ world, host }: Bench, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const call = async (method: string, path: string, body?: object) => {
      const answer = await callEngine(host, { method, path, ...(body === undefined ? {} : { body }) });
      assert.ok(answer.status < 300, `${method} ${path} of ${name}: ${answer.body}`);
      return answer.body === '' ? {} : (JSON.parse(answer.body) as Record<string, unknown>);
    };
    const made = await call('POST', '/containers/create', { Image: name, Cmd: world.images.get(name) });
    const path = `/containers/${String(made['Id'])}`;
    await call('POST', `${path}/start`);
    const ended = await call('POST', `${path}/wait`);
    assert.equal(ended['StatusCode'], 0, `${name} does not hold what it was made of`);
    // An image committed from a container with anonymous volumes brings its own.
    await call('DELETE', `${path}?v=1`);
  }
}
