import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { run } from '../../src/lib/run.ts';
import { contentDigestOf } from '../../src/registry/server/content-digest.ts';
import { descriptorOf, manifestOf, startRegistry, type TestRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const gantry = join(import.meta.dirname, '../../bin/gantry');
const bytes = randomBytes(4_000_000);
const digest = contentDigestOf(bytes);

async function begin(registry: TestRegistry): Promise<string> {
  const response = await registry.fetch('/v2/x/blobs/uploads/', { method: 'POST' });
  assert.equal(response.status, 202);
  return response.headers.get('location') ?? '';
}

/** How much of the upload has arrived, as the registry tells. */
async function received(registry: TestRegistry, location: string): Promise<number> {
  const response = await registry.fetch(location);
  assert.equal(response.status, 204);
  const end = Number(response.headers.get('range')?.split('-')[1]);
  return end === 0 ? 0 : end + 1;
}

async function arrived(registry: TestRegistry, location: string, count: number): Promise<void> {
  await until(async () => (await received(registry, location)) >= count, 'the bytes do not arrive', 120);
}

async function dial(registry: TestRegistry): Promise<Socket> {
  const [host = '', port = ''] = registry.host.split(':');
  const socket = connect({ host, port: Number(port) });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Sends the head of a PATCH of all the bytes, and then only some of them. */
async function sendPart(registry: TestRegistry, location: string, from: number, to: number): Promise<Socket> {
  const socket = await dial(registry);
  socket.write(
    `PATCH ${location} HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes.length - from}\r\n` +
      `content-range: ${from}-${bytes.length - 1}\r\n\r\n`,
  );
  socket.write(bytes.subarray(from, to));
  return socket;
}

async function codeOf(response: Response): Promise<string> {
  const { errors } = (await response.json()) as { errors: { code: string }[] };
  return errors[0]?.code ?? '';
}

test('an upload cut at every eighth goes on from where it broke', async (t) => {
  const registry = await startRegistry(t);
  const location = await begin(registry);
  for (let part = 1; part < 8; part++) {
    const from = await received(registry, location);
    const to = Math.floor((bytes.length * part) / 8);
    const socket = await sendPart(registry, location, from, to);
    // Let it arrive before the connection breaks.
    await arrived(registry, location, to);
    socket.resetAndDestroy();
  }
  const from = await received(registry, location);
  assert.ok(from >= Math.floor((bytes.length * 7) / 8));
  assert.equal((await registry.fetch(`/v2/x/blobs/${digest}`)).status, 404);
  const last = await registry.fetch(`${location}?digest=${digest}`, {
    method: 'PUT',
    headers: { 'content-range': `${from}-${bytes.length - 1}` },
    body: new Uint8Array(bytes.subarray(from)),
  });
  assert.equal(last.status, 201);
  const back = await registry.fetch(`/v2/x/blobs/${digest}`);
  assert.ok(bytes.equals(Buffer.from(await back.arrayBuffer())));
});

test('a registry killed during an upload goes on with it after its restart, as another process does', async (t) => {
  const registry = await startRegistry(t);
  const other = await startRegistry(t, { root: registry.root });
  const location = await begin(registry);
  await sendPart(registry, location, 0, 1_000_000);
  await arrived(registry, location, 1_000_000);
  await registry.end('SIGKILL');
  assert.equal(await received(other, location), 1_000_000);
  const chunk = await other.fetch(location, {
    method: 'PATCH',
    headers: { 'content-range': '1000000-1999999' },
    body: new Uint8Array(bytes.subarray(1_000_000, 2_000_000)),
  });
  assert.equal(chunk.status, 202);
  await registry.start();
  const last = await registry.fetch(`${location}?digest=${digest}`, {
    method: 'PUT',
    body: new Uint8Array(bytes.subarray(2_000_000)),
  });
  assert.equal(last.status, 201);
  assert.equal((await other.fetch(`/v2/x/blobs/${digest}`, { method: 'HEAD' })).status, 200);
  assert.deepEqual(readdirSync(join(registry.root, 'uploads')), []);
  assert.deepEqual(readdirSync(join(registry.root, 'tmp')), []);
});

test('wrong digests, lengths and ranges are refused and leave nothing', async (t) => {
  const registry = await startRegistry(t, { config: { limits: { blob: '5M', manifest: '1k' } } });
  const wrong = await registry.fetch(`/v2/x/blobs/uploads/?digest=${contentDigestOf('other')}`, {
    method: 'POST',
    body: new Uint8Array(bytes),
  });
  assert.deepEqual([wrong.status, await codeOf(wrong)], [400, 'DIGEST_INVALID']);
  const location = await begin(registry);
  const gap = await registry.fetch(location, {
    method: 'PATCH',
    headers: { 'content-range': '10-19' },
    body: '0123456789',
  });
  assert.deepEqual([gap.status, gap.headers.get('range')], [416, '0-0']);
  const short = await registry.fetch(location, {
    method: 'PATCH',
    headers: { 'content-range': '0-19' },
    body: '0123456789',
  });
  assert.deepEqual([short.status, await codeOf(short)], [400, 'SIZE_INVALID']);
  const large = await registry.fetch(location, { method: 'PATCH', body: new Uint8Array(6 << 20) });
  assert.deepEqual([large.status, await codeOf(large)], [413, 'SIZE_INVALID']);
  assert.equal((await registry.fetch(location)).status, 404);
  const type = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
  const put = (name: string, body: string) =>
    registry.fetch(`/v2/x/manifests/${name}`, { method: 'PUT', headers: type, body });
  const missing = await put('a', manifestOf(['not there']));
  assert.deepEqual([missing.status, await codeOf(missing)], [400, 'MANIFEST_BLOB_UNKNOWN']);
  const long = await put('a', manifestOf([], { annotations: { long: 'x'.repeat(2_000) } }));
  assert.deepEqual([long.status, await codeOf(long)], [413, 'SIZE_INVALID']);
  for (const body of ['{', '[]', '{"schemaVersion":1}', manifestOf([], { manifests: [] })]) {
    const bad = await put('a', body);
    assert.deepEqual([bad.status, await codeOf(bad)], [400, 'MANIFEST_INVALID'], body);
  }
  await registry.pushBlob('x', '{}');
  const other = await put(contentDigestOf('other'), manifestOf([]));
  assert.deepEqual([other.status, await codeOf(other)], [400, 'DIGEST_INVALID']);
  const lie = await put('a', manifestOf([], { config: { ...descriptorOf('{}', 'x'), size: 3 } }));
  assert.deepEqual([lie.status, await codeOf(lie)], [400, 'MANIFEST_INVALID']);
  for (const path of [
    '/v2/UPPER/tags/list',
    '/v2/x//y/tags/list',
    '/v2/../x/tags/list',
    '/v2/_x/tags/list',
  ]) {
    const response = await registry.fetch(path.replace('..', '%2e%2e'));
    assert.equal(response.status === 400 || response.status === 404, true, path);
  }
  assert.equal((await registry.fetch('/v2/x/manifests/a')).status, 404);
  assert.deepEqual(readdirSync(join(registry.root, 'uploads')), []);
  assert.deepEqual(readdirSync(join(registry.root, 'tmp')), []);
});

test('clients that dawdle are cut off, those that pause within reason are not', async (t) => {
  const timeouts = { headers: '1s', idle: '3s', paceWindow: '1s', bytesPerSecond: 1_000 };
  const registry = await startRegistry(t, { config: { timeouts } });
  const slowHeaders = await dial(registry);
  slowHeaders.write('GET /v2/ HTTP/1.1\r\nx: ');
  const trickle = setInterval(() => slowHeaders.write('y'), 200);
  const silent = await dial(registry);
  const location = await begin(registry);
  const slowBody = await sendPart(registry, location, 0, 1);
  let answer = '';
  slowBody.on('data', (chunk) => (answer += String(chunk)));
  const drip = setInterval(() => slowBody.write('z'), 300);
  try {
    slowHeaders.resume();
    silent.resume();
    await until(
      () => slowHeaders.closed && silent.closed && answer.includes('408'),
      () => `not all are cut off: ${slowHeaders.closed}, ${silent.closed}, ${answer}`,
      120,
    );
  } finally {
    clearInterval(trickle);
    clearInterval(drip);
    slowBody.destroy();
  }
  assert.match(answer, /^HTTP\/1\.1 408 .*sends too slowly/s);
  // The upload is still there for a client that does better.
  const from = await received(registry, location);
  assert.ok(from > 0);
});

test('a full disk is told, leaves nothing half made, and the next push works once there is room', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'gantry-registry-full-'));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'gantry-registry-test', root]);
  t.after(async () => {
    await run('umount', ['-l', root]);
    rmSync(root, { recursive: true });
  });
  const registry = await startRegistry(t, { root });
  const first = await registry.pushBlob('x', bytes);
  const refused = await registry.fetch(`/v2/x/blobs/uploads/?digest=${contentDigestOf('more')}`, {
    method: 'POST',
    body: new Uint8Array(bytes),
  });
  assert.equal(refused.status, 507);
  assert.match(await refused.text(), /no space left in the storage of the registry/);
  const location = await begin(registry);
  const chunk = await registry.fetch(location, { method: 'PATCH', body: new Uint8Array(bytes) });
  assert.equal(chunk.status, 507);
  assert.equal((await registry.fetch(location)).status, 404);
  assert.deepEqual(readdirSync(join(root, 'uploads')), []);
  assert.equal((await registry.fetch(`/v2/x/blobs/${first}`, { method: 'DELETE' })).status, 202);
  await run(gantry, ['registry', 'gc', '--root', root, '--grace', '0s']);
  await registry.pushBlob('x', Buffer.concat([bytes, bytes.subarray(0, 1_000_000)]));
});

test('SIGTERM lets requests under way end and refuses new ones', async (t) => {
  const registry = await startRegistry(t);
  const location = await begin(registry);
  const socket = await sendPart(registry, location, 0, 2_000_000);
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  await arrived(registry, location, 2_000_000);
  const ended = registry.end('SIGTERM');
  const refuses = async () =>
    registry.fetch('/v2/').then(
      () => false,
      () => true,
    );
  await until(refuses, 'it takes new requests', 120);
  socket.write(bytes.subarray(2_000_000));
  assert.equal(await ended, 0);
  assert.match(answer, /^HTTP\/1\.1 202 .*connection: close/is);
});
