import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDaemon } from '../support/daemon.ts';
import { startDebianRegistry } from '../support/docker-registry.ts';
import { callEngine, type EngineCall, Gone } from '../support/engine-call.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';
import { until } from '../support/until.ts';

// The engine is killed in the middle of a pull, a push, a load and a collection.

const registry = await startDebianRegistry({ after });
const engine = await startDaemon({ after });
const files = temporaryDirectory({ after });
const layerBytes = 4_000_000;

/** The docker CLI beside this process, which has a server to run. */
function running(...args: string[]): Promise<unknown> {
  const child = spawn('docker', ['-H', engine.host, ...args], { stdio: 'ignore' });
  return new Promise((resolve) => child.once('exit', resolve));
}

test('killed in mid-pull: no half image, and the next pull goes on where it stopped', async (t) => {
  writeTree(join(files, 'app'), {
    Dockerfile: 'FROM scratch\nCOPY big /big\n',
    big: randomBytes(layerBytes),
  });
  engine.ok(['build', '-q', '-t', `${registry.host}/crash:1`, join(files, 'app')]);
  const id = engine.ok(['image', 'inspect', '-f', '{{.Id}}', `${registry.host}/crash:1`]);
  engine.ok(['push', `${registry.host}/crash:1`]);
  engine.ok(['rmi', '-f', id]);

  const proxy = await startFaultProxy(t, registry.host);
  const image = `${proxy.host}/crash:1`;
  proxy.faultFor = ({ method, path }) =>
    method === 'GET' && /\/blobs\//.test(path) ? { kind: 'stall', after: layerBytes / 2 } : undefined;
  const partial = join(engine.root, 'content', 'partial');
  const pulling = running('pull', image);
  const size = () => readdirSync(partial).reduce((sum, name) => sum + statSync(join(partial, name)).size, 0);
  await until(() => size() >= layerBytes / 2, 'half of the layer does not come', 120);
  await engine.end('SIGKILL');
  await pulling;

  await engine.start();
  assert.equal(engine.docker(['image', 'inspect', image]).code, 1);
  assert.equal(size(), layerBytes / 2, 'what had come is kept');
  proxy.faultFor = () => undefined;
  assert.equal(await running('pull', image), 0);
  assert.equal(engine.ok(['image', 'inspect', '-f', '{{.Id}}', image]), id);
  const last = proxy.seen.findLast(({ method, path }) => method === 'GET' && /\/blobs\//.test(path));
  assert.equal(last?.headers.range, `bytes=${layerBytes / 2}-`);
  assert.deepEqual(readdirSync(partial), []);
});

test('killed in mid-push: nothing to see in the registry, and the next push completes', async (t) => {
  writeTree(join(files, 'push'), {
    Dockerfile: 'FROM scratch\nCOPY big /big\n',
    big: randomBytes(layerBytes),
  });
  const proxy = await startFaultProxy(t, registry.host);
  const image = `${proxy.host}/push-crash:1`;
  engine.ok(['build', '-q', '-t', image, join(files, 'push')]);
  proxy.faultFor = ({ method, headers }) =>
    method === 'PUT' && Number(headers['content-length']) > 1_000_000
      ? { kind: 'stall', after: 0 }
      : undefined;
  const pushing = running('push', image);
  await until(() => proxy.count('PUT', /uploads/) > 0, 'the push sends no layer', 120);
  await engine.end('SIGKILL');
  await pushing;
  const manifest = () =>
    fetch(`http://${registry.host}/v2/push-crash/manifests/1`, {
      headers: { Accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
  assert.equal((await manifest()).status, 404);
  await engine.start();
  proxy.faultFor = () => undefined;
  assert.equal(await running('push', image), 0);
  assert.equal((await manifest()).status, 200);
});

const base = engine.ok(['images', '-q', '--no-trunc', 'base:1']);
const others = () =>
  engine
    .ok(['images', '-q', '--no-trunc'])
    .split('\n')
    .filter((id) => id !== base && id !== '');

function buildWhole(name: string): string {
  const directory = join(files, name);
  writeTree(directory, {
    Dockerfile: 'FROM base:1\nCOPY big /big\nRUN echo x >/of\n',
    big: randomBytes(layerBytes),
  });
  engine.ok(['build', '-q', '-t', `${name}:1`, directory]);
  return engine.ok(['image', 'inspect', '-f', '{{.Id}}', `${name}:1`]);
}

/** Every image that is seen has all it is made of, and runs. */
function allWhole(): void {
  const checked = engine.gantry(['store', 'check', '-q']);
  assert.equal(checked.code, 0, checked.stdout);
  for (const id of others()) assert.equal(engine.ok(['run', '--rm', id, 'cat', '/of']), 'x');
}

/** How long the daemon takes for a call that nothing disturbs. */
async function timeOf(call: EngineCall): Promise<number> {
  const begun = performance.now();
  const { status, body } = await callEngine(engine.host, call);
  assert.equal(status, 200, body);
  return performance.now() - begun;
}

/** Kills the daemon at some moment of a call that takes so long. */
async function killedWhile(call: EngineCall, wholeMs: number): Promise<void> {
  const over = callEngine(engine.host, call).catch((error: unknown) => {
    if (!(error instanceof Gone)) throw error;
  });
  await sleep(Math.random() * wholeMs);
  await engine.end('SIGKILL');
  await over;
  await engine.start();
}

test('killed in mid-load: the image is there whole or not at all, and the next load completes', async () => {
  engine.ok(['rmi', '-f', ...others()]);
  const id = buildWhole('loaded');
  const archive = join(files, 'loaded.tar');
  engine.ok(['save', '-o', archive, 'loaded:1']);
  const load = { method: 'POST', path: '/images/load', body: readFileSync(archive) };
  engine.ok(['rmi', '-f', id]);
  engine.ok(['builder', 'prune', '-af']);
  const wholeMs = await timeOf(load);
  for (let round = 0; round < 5; round += 1) {
    engine.ok(['rmi', '-f', id]);
    engine.ok(['builder', 'prune', '-af']);
    await killedWhile(load, wholeMs);
    assert.ok([id, ''].includes(others().join()), 'it or nothing');
    allWhole();
    engine.ok(['load', '-i', archive]);
    assert.deepEqual(others(), [id]);
    allWhole();
  }
});

test('killed while images are pruned: what is left is whole, and the next prune takes the rest', async () => {
  engine.ok(['create', '--name', 'holds-the-base', 'base:1', 'true']);
  const prune = { method: 'POST', path: '/images/prune?filters={"dangling":["false"]}' };
  const built: string[] = [];
  const buildThree = (round: number) => {
    for (const name of ['one', 'two', 'three']) built.push(buildWhole(`${name}-${round}`));
    engine.ok(['builder', 'prune', '-af']);
  };
  buildThree(0);
  const wholeMs = await timeOf(prune);
  for (let round = 1; round <= 4; round += 1) {
    buildThree(round);
    await killedWhile(prune, wholeMs);
    for (const id of others()) assert.ok(built.includes(id));
    allWhole();
  }
  engine.ok(['image', 'prune', '-af']);
  engine.ok(['builder', 'prune', '-af']);
  allWhole();
  assert.deepEqual(others(), []);
});
