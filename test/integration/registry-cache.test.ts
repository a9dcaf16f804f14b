import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { contentDigestOf } from '../../src/registry/server/content-digest.ts';
import { type FaultProxy, type Seen, startFaultProxy } from '../support/fault-proxy.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const layer = randomBytes(3_000_000);
const digest = contentDigestOf(layer);

async function startCache(t: TestContext, cache: object = {}) {
  const origin = await startRegistry(t);
  await origin.pushImage('team/app', 'v1', [layer]);
  const upstream = await startFaultProxy(t, origin.host);
  const entry = { prefix: 'mirror', upstream: `http://${upstream.host}`, ...cache };
  const registry = await startRegistry(t, { config: { cache: [entry] } });
  return { origin, upstream, registry };
}

const isBlob = ({ path }: Seen) => path.includes('/blobs/sha256:');

function blobRequests(upstream: FaultProxy): number {
  return upstream.count('GET', new RegExp(digest));
}

/** Breaks each download of a blob after so many bytes, as long as the list goes. */
function cutBlobs(upstream: FaultProxy, lengths: readonly number[]): void {
  const left = [...lengths];
  upstream.faultFor = (request) => {
    const after = isBlob(request) ? left.shift() : undefined;
    return after === undefined ? undefined : { kind: 'cut', after };
  };
}

async function pull(registry: TestRegistry, headers: Record<string, string> = {}): Promise<Buffer> {
  const response = await registry.fetch(`/v2/mirror/team/app/blobs/${digest}`, { headers });
  assert.ok(response.ok, String(response.status));
  return Buffer.from(await response.arrayBuffer());
}

async function tagStatus(registry: TestRegistry, tag = 'v1') {
  const response = await registry.fetch(`/v2/mirror/team/app/manifests/${tag}`);
  await response.text();
  return [response.status, response.headers.get('warning')];
}

test('what was pulled once is served without upstream; however many ask, it is fetched once', async (t) => {
  const { upstream, registry } = await startCache(t, { ttl: '1h' });
  upstream.faultFor = (request) => (isBlob(request) ? { kind: 'delay', ms: 500 } : undefined);
  assert.deepEqual(await tagStatus(registry), [200, null]);
  const all = await Promise.all([
    ...Array.from({ length: 8 }, () => pull(registry)),
    pull(registry, { range: 'bytes=100-199' }),
  ]);
  const part = all.pop();
  assert.ok(part !== undefined && layer.subarray(100, 200).equals(part));
  for (const bytes of all) assert.ok(layer.equals(bytes));
  assert.equal(blobRequests(upstream), 1);
  upstream.faultFor = () => ({ kind: 'answer', status: 500 });
  assert.ok(layer.equals(await pull(registry)));
  assert.deepEqual(await tagStatus(registry), [200, null]);
  const push = await registry.fetch('/v2/mirror/team/app/blobs/uploads/', { method: 'POST' });
  assert.equal(push.status, 405);
  const metrics = await (await registry.fetch('/metrics')).text();
  assert.match(metrics, /gantry_registry_cache_total\{kind="blob",result="shared"\} 8/);
});

test('a download that breaks goes on where it broke, unseen by the client', async (t) => {
  const { upstream, registry } = await startCache(t);
  await tagStatus(registry);
  cutBlobs(upstream, [0, 400_000, 1, 900_000]);
  const [bytes, again] = await Promise.all([pull(registry), pull(registry)]);
  assert.ok(layer.equals(bytes));
  assert.ok(layer.equals(again));
  assert.equal(blobRequests(upstream), 5);
});

test('corrupt or unreachable content reaches no client as whole, and is not kept', async (t) => {
  const { upstream, registry } = await startCache(t);
  await tagStatus(registry);
  const change = (body: Buffer) => {
    body.writeUInt8(body.readUInt8(0) ^ 1, 0);
    return body;
  };
  upstream.faultFor = (request) => (isBlob(request) ? { kind: 'body', change } : undefined);
  await assert.rejects(pull(registry));
  cutBlobs(
    upstream,
    Array.from({ length: 20 }, () => 0),
  );
  const broken = await registry.fetch(`/v2/mirror/team/app/blobs/${digest}`).then(
    ({ status }) => status,
    () => 0,
  );
  assert.ok(broken === 0 || broken >= 500, String(broken));
  upstream.faultFor = () => undefined;
  assert.ok(layer.equals(await pull(registry)));
  assert.deepEqual(readdirSync(join(registry.root, 'uploads')), []);
  const missing = await registry.fetch(`/v2/mirror/team/app/blobs/${contentDigestOf('missing')}`);
  assert.equal(missing.status, 404);
});

test('an old tag is served when upstream fails or has had enough, a moved one follows', async (t) => {
  const { origin, upstream, registry } = await startCache(t, { ttl: '1ms' });
  assert.deepEqual(await tagStatus(registry), [200, null]);
  const moved = await origin.pushImage('team/app', 'v1', ['new']);
  const head = await registry.fetch('/v2/mirror/team/app/manifests/v1', { method: 'HEAD' });
  assert.equal(head.headers.get('docker-content-digest'), moved);
  for (const status of [429, 503]) {
    upstream.faultFor = () => ({ kind: 'answer', status });
    const [code, warning] = await tagStatus(registry);
    assert.equal(code, 200);
    assert.match(String(warning), /^110/);
  }
  const [code] = await tagStatus(registry, 'never-seen');
  assert.equal(code, 503);
  upstream.faultFor = () => undefined;
  assert.deepEqual(await tagStatus(registry, 'none'), [404, null]);
});

test('a cache logs in upstream, and its own users need not know how', async (t) => {
  const { default: bcrypt } = await import('bcryptjs');
  const { writeFileSync } = await import('node:fs');
  const origin = await startRegistry(t);
  await origin.pushImage('team/app', 'v1', [layer]);
  await origin.end();
  const htpasswd = join(origin.directory, 'htpasswd');
  writeFileSync(htpasswd, `cache:${bcrypt.hashSync('secret', 4)}\n`);
  const rules = [{ repositories: ['**'], users: ['cache'], actions: ['pull'] }];
  const guarded = await startRegistry(t, {
    root: origin.root,
    config: { auth: { htpasswd, token: { service: 's' }, rules } },
  });
  const cache = { prefix: 'mirror', upstream: guarded.url, username: 'cache', password: 'secret' };
  const registry = await startRegistry(t, { config: { cache: [cache] } });
  assert.deepEqual(await tagStatus(registry), [200, null]);
  assert.ok(layer.equals(await pull(registry)));
  const wrong = await startRegistry(t, { config: { cache: [{ ...cache, password: 'wrong' }] } });
  const [code] = await tagStatus(wrong);
  assert.ok(code === 401 || code === 403 || code === 404, String(code));
});
