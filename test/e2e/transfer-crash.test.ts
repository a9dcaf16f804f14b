import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDaemon } from '../support/daemon.ts';
import { startRegistry } from '../support/docker-registry.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';
import { until } from '../support/until.ts';

// The engine is killed in the middle of a pull, a push, a load and a collection.

const registry = await startRegistry({ after });
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

async function killedWhile(...args: string[]): Promise<void> {
  const client = running(...args);
  await sleep(5 + Math.random() * 150);
  await engine.end('SIGKILL');
  await client;
  await engine.start();
}

test('killed in mid-load: the image is there whole or not at all, and the next load completes', async () => {
  engine.ok(['rmi', '-f', ...others()]);
  const id = buildWhole('loaded');
  const archive = join(files, 'loaded.tar');
  engine.ok(['save', '-o', archive, 'loaded:1']);
  for (let round = 0; round < 5; round += 1) {
    engine.ok(['rmi', '-f', id]);
    engine.ok(['builder', 'prune', '-af']);
    await killedWhile('load', '-i', archive);
    assert.ok([id, ''].includes(others().join()), 'it or nothing');
    allWhole();
    engine.ok(['load', '-i', archive]);
    assert.deepEqual(others(), [id]);
    allWhole();
  }
});

test('killed while images are pruned: what is left is whole, and the next prune takes the rest', async () => {
  engine.ok(['create', '--name', 'holds-the-base', 'base:1', 'true']);
  // The kill may come before the first removal: what the tests above left may then still be there.
  const built = others();
  for (let round = 0; round < 4; round += 1) {
    for (const name of ['one', 'two', 'three']) built.push(buildWhole(`${name}-${round}`));
    engine.ok(['builder', 'prune', '-af']);
    await killedWhile('image', 'prune', '-af');
    for (const id of others()) assert.ok(built.includes(id));
    allWhole();
  }
  engine.ok(['image', 'prune', '-af']);
  engine.ok(['builder', 'prune', '-af']);
  allWhole();
  assert.deepEqual(others(), []);
});
