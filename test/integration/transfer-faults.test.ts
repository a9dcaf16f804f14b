import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProgressMessage } from '../../src/api/index.ts';
import { createTransfers, type Image, type Transfers } from '../../src/image/index.ts';
import { type Digest, parseReference } from '../../src/oci/index.ts';
import { createRegistryClient, type RegistryClientOptions } from '../../src/registry/index.ts';
import { startDebianRegistry } from '../support/docker-registry.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import {
  addChild,
  type ImageStore,
  importBase,
  openImageStore,
  streamOf,
  tarOf,
} from '../support/image-store.ts';
import { noProxies } from '../support/no-proxies.ts';
import { until } from '../support/until.ts';

// A network and a registry that fail, between real stores and a real docker-registry.

const registry = await startDebianRegistry({ after });
const layerBytes = 400_000;

interface CallOptions {
  readonly signal?: AbortSignal;
  readonly tell?: (message: ProgressMessage) => void;
}

interface Side {
  readonly store: ImageStore;
  readonly transfers: Transfers;
  readonly pull: (name: string, options?: CallOptions) => Promise<void>;
  readonly push: (name: string, options?: CallOptions) => Promise<void>;
}

async function openSide(
  t: TestContext,
  options: Partial<RegistryClientOptions> & { readonly diskBytes?: number } = {},
): Promise<Side> {
  const store = await openImageStore(
    t,
    options.diskBytes === undefined ? {} : { diskBytes: options.diskBytes },
  );
  const client = createRegistryClient({
    insecureRegistries: [],
    registryMirrors: [],
    certificateDirectories: [],
    proxies: noProxies,
    userAgent: 'test',
    stallMs: 20_000,
    ...options,
  });
  const { metadata, images, content, snapshots, layers } = store;
  const transfers = createTransfers({
    metadata,
    images,
    stores: { content, snapshots, layers },
    registry: client,
    limits: { downloads: 3, uploads: 5 },
  });
  t.after(async () => {
    await transfers[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
  });
  const call = ({ signal, tell }: CallOptions = {}) => ({
    onProgress: tell ?? (() => undefined),
    signal: signal ?? new AbortController().signal,
  });
  return {
    store,
    transfers,
    pull: (name, more) => transfers.pull({ reference: parseReference(name), access: {} }, call(more)),
    push: (name, more) => transfers.push({ reference: parseReference(name), access: {} }, call(more)),
  };
}

/** An image of one layer that does not compress, pushed to the registry; its blob there. */
async function pushed(
  t: TestContext,
  path: string,
): Promise<{ image: Image; side: Side; blob: string; size: number }> {
  const side = await openSide(t);
  const tar = tarOf({ 'etc/random': randomBytes(layerBytes) });
  const reference = `${registry.host}/${path}:1`;
  const image = await side.store.images.importRootfs(streamOf(tar), { reference, changes: [] });
  await side.push(reference);
  const manifest = (await (
    await fetch(`http://${registry.host}/v2/${path}/manifests/1`, {
      headers: { Accept: 'application/vnd.oci.image.manifest.v1+json' },
    })
  ).json()) as { layers: { digest: string; size: number }[] };
  const [layer = assert.fail()] = manifest.layers;
  return { image, side, blob: layer.digest, size: layer.size };
}

async function nothingIn({ store }: Side): Promise<void> {
  assert.deepEqual(await Array.fromAsync(store.content.list()), []);
  assert.deepEqual(readdirSync(join(store.root, 'content', 'partial')), []);
  assert.deepEqual(store.snapshots.list().committed, []);
  assert.deepEqual(store.images.list({ all: true, filters: new Map(), sharedSize: false }), []);
}

function layerRequests(proxy: FaultProxy, blob: string) {
  return proxy.seen.filter(({ method, path }) => method === 'GET' && path.endsWith(blob));
}

test('an image that is removed while it is pushed is pushed all the same', async (t) => {
  const { image, side } = await pushed(t, 'removed');
  const proxy = await startFaultProxy(t, registry.host);
  const { images, metadata } = side.store;
  const options = { force: true, noPrune: true };
  images.tag(image.id, `${proxy.host}/removed:2`);
  let removal: Promise<unknown> | undefined;
  proxy.faultFor = ({ method, path }) => {
    if (method === 'PUT' && path.endsWith('/manifests/2')) removal = images.remove(image.id, options);
    return undefined;
  };
  const told: ProgressMessage[] = [];
  await side.push(`${proxy.host}/removed:2`, { tell: (message) => told.push(message) });
  assert.ok(removal !== undefined);
  await removal;
  assert.match(JSON.stringify(told.at(-1)?.aux), /"Digest":"sha256:/);
  assert.equal([...metadata.journal.read({})].filter(({ action }) => action === 'push').length, 2);
  assert.equal(images.find(image.id), undefined);
});

test('an image that is removed while a pull finds it up to date is brought', async (t) => {
  const { image } = await pushed(t, 'vanishing');
  const side = await openSide(t);
  const reference = `${registry.host}/vanishing:1`;
  await side.pull(reference);
  const { images, content, metadata } = side.store;
  const info = content.info.bind(content);
  // Somebody else holds what the image is made of, so that all of it is found.
  using lease = metadata.leases.acquire();
  const blobs = await Array.fromAsync(content.list());
  lease.add(...blobs.map(({ digest }) => ({ kind: 'blob' as const, id: digest })));
  if (image.chainId !== undefined) lease.add({ kind: 'snapshot', id: image.chainId });
  const looking = t.mock.method(content, 'info', async (digest: Digest) => {
    looking.mock.restore();
    await images.remove(image.id, { force: true, noPrune: true });
    return info(digest);
  });
  await side.pull(reference);
  assert.equal(looking.mock.callCount(), 1);
  assert.equal(images.resolve(reference).id, image.id);
});

test('a connection that breaks at every eighth of a blob is gone on with where it broke', async (t) => {
  const { image, blob, size } = await pushed(t, 'cut');
  const proxy = await startFaultProxy(t, registry.host);
  const eighth = Math.ceil(size / 8);
  proxy.faultFor = ({ method, path }) =>
    method === 'GET' && path.endsWith(blob) ? { kind: 'cut', after: eighth } : undefined;
  const side = await openSide(t);
  await side.pull(`${proxy.host}/cut:1`);
  assert.equal(side.store.images.resolve(`${proxy.host}/cut:1`).id, image.id);
  const starts = layerRequests(proxy, blob).map(({ headers }) => headers.range ?? '');
  assert.deepEqual(starts, ['', ...[1, 2, 3, 4, 5, 6, 7].map((n) => `bytes=${n * eighth}-`)]);
});

test('a registry that knows no ranges sends again what is there', async (t) => {
  const { image, blob, size } = await pushed(t, 'ranges');
  const proxy = await startFaultProxy(t, registry.host);
  proxy.faultFor = ({ method, path, headers }) => {
    if (method !== 'GET' || !path.endsWith(blob)) return undefined;
    if (headers.range === undefined) return { kind: 'cut', after: Math.ceil(size / 2) };
    delete headers.range;
    return undefined;
  };
  const side = await openSide(t);
  await side.pull(`${proxy.host}/ranges:1`);
  assert.equal(side.store.images.resolve(`${proxy.host}/ranges:1`).id, image.id);
});

test('a registry in trouble, too busy, or silent is asked again', async (t) => {
  const { image, blob } = await pushed(t, 'trouble');
  const proxy = await startFaultProxy(t, registry.host);
  const faults = [
    { kind: 'answer', status: 500 },
    { kind: 'answer', status: 429, headers: { 'Retry-After': '1' } },
    { kind: 'stall', after: 1000 },
    { kind: 'answer', status: 503, body: 'busy' },
  ] as const;
  let next = 0;
  proxy.faultFor = ({ method, path }) =>
    method === 'GET' && path.endsWith(blob) ? faults[next++] : undefined;
  const side = await openSide(t, { stallMs: 1_000 });
  const told: string[] = [];
  await side.pull(`${proxy.host}/trouble:1`, { tell: ({ status = '' }) => void told.push(status) });
  assert.equal(side.store.images.resolve(`${proxy.host}/trouble:1`).id, image.id);
  assert.ok(told.includes('Retrying in 1 seconds'), told.join('\n'));
});

test('what is not what the manifest says leaves nothing, and the next try completes', async (t) => {
  const { image, blob } = await pushed(t, 'wrong');
  const wrong: Record<string, readonly [RegExp, (body: Buffer) => Buffer]> = {
    'a flipped byte': [
      /filesystem layer verification failed for digest sha256:/,
      (body) => {
        body.writeUInt8(body.readUInt8(body.length - 100) ^ 1, body.length - 100);
        return body;
      },
    ],
    'other bytes': [
      /filesystem layer verification failed for digest sha256:/,
      (body) => randomBytes(body.length),
    ],
    'too long': [/goes on after its \d+ bytes/, (body) => Buffer.concat([body, Buffer.from('more')])],
    'too short': [/unexpected EOF/, (body) => body.subarray(0, body.length - 1000)],
  };
  for (const [what, [message, change]] of Object.entries(wrong)) {
    const proxy = await startFaultProxy(t, registry.host);
    proxy.faultFor = ({ method, path, headers }) => {
      if (method !== 'GET' || !path.endsWith(blob)) return undefined;
      return headers.range === undefined ? { kind: 'body', change } : { kind: 'answer', status: 416 };
    };
    const side = await openSide(t);
    await assert.rejects(side.pull(`${proxy.host}/wrong:1`), { code: 'invalidArgument', message }, what);
    await nothingIn(side);
    proxy.faultFor = () => undefined;
    await side.pull(`${proxy.host}/wrong:1`);
    assert.equal(side.store.images.resolve(`${proxy.host}/wrong:1`).id, image.id);
  }
});

test('a pull that was called off keeps what it had, and the next goes on', async (t) => {
  const { image, blob, size } = await pushed(t, 'called-off');
  const proxy = await startFaultProxy(t, registry.host);
  const half = Math.ceil(size / 2);
  proxy.faultFor = ({ method, path }) =>
    method === 'GET' && path.endsWith(blob) ? { kind: 'stall', after: half } : undefined;
  const side = await openSide(t, { stallMs: 60_000 });
  const controller = new AbortController();
  const pulling = side.pull(`${proxy.host}/called-off:1`, { signal: controller.signal });
  pulling.catch(() => undefined);
  const partial = join(side.store.root, 'content', 'partial');
  await until(
    async () =>
      (await side.store.content.info(image.id)) !== undefined &&
      readdirSync(partial).some((name) => statSync(join(partial, name)).size === half),
    'half of the layer does not come',
    120,
  );
  controller.abort();
  await assert.rejects(pulling, { name: 'AbortError' });
  await side.store.images.collectGarbage();
  assert.equal(readdirSync(partial).length, 1);
  assert.deepEqual(side.store.images.list({ all: true, filters: new Map(), sharedSize: false }), []);
  proxy.faultFor = () => undefined;
  await side.pull(`${proxy.host}/called-off:1`);
  assert.equal(layerRequests(proxy, blob).at(-1)?.headers.range, `bytes=${half}-`);
  await side.store.images.remove(`${proxy.host}/called-off:1`, { force: true, noPrune: false });
  await nothingIn(side);
});

test('pulls of one image share the work, and one of them may leave', async (t) => {
  const { image, blob, size } = await pushed(t, 'shared');
  const proxy = await startFaultProxy(t, registry.host);
  let first = true;
  proxy.faultFor = ({ method, path }) => {
    if (method !== 'GET' || !path.endsWith(blob) || !first) return undefined;
    first = false;
    return { kind: 'stall', after: Math.ceil(size / 2) };
  };
  const side = await openSide(t, { stallMs: 4_000 });
  const controller = new AbortController();
  const name = `${proxy.host}/shared:1`;
  const leaving = side.pull(name, { signal: controller.signal });
  leaving.catch(() => undefined);
  await until(() => layerRequests(proxy, blob).length > 0, 'nobody asks for the layer', 120);
  const staying = [side.pull(name), side.pull(name)];
  await sleep(300);
  controller.abort();
  await assert.rejects(leaving);
  await Promise.all(staying);
  assert.equal(side.store.images.resolve(name).id, image.id);
  assert.equal(layerRequests(proxy, blob).length, 2, 'one request, and one that goes on after the stall');
});

test('a pull reads nothing of the layers that are there', async (t) => {
  const { side, image } = await pushed(t, 'pull/grows');
  const grown = await addChild(side.store, image);
  const name = `${registry.host}/pull/grows:2`;
  side.store.images.tag(grown.id, name);
  await side.push(name);
  const other = await openSide(t);
  await other.pull(`${registry.host}/pull/grows:1`);
  const opened = t.mock.method(other.store.content, 'open');
  await other.pull(name);
  const [base = assert.fail()] = other.store.images.layersOf(grown.id);
  assert.ok(!opened.mock.calls.some(({ arguments: [digest] }) => digest === base.digest));
});

test('credentials do not follow a redirect to another host', async (t) => {
  const { image, blob } = await pushed(t, 'elsewhere');
  const [proxy, storage] = [await startFaultProxy(t, registry.host), await startFaultProxy(t, registry.host)];
  proxy.faultFor = ({ method, path, headers }) => {
    if (path === '/v2/' && headers.authorization === undefined)
      return { kind: 'answer', status: 401, headers: { 'WWW-Authenticate': 'Basic realm="test"' } };
    if (headers.authorization === undefined) return { kind: 'answer', status: 401 };
    if (method !== 'GET' || !path.endsWith(blob)) return undefined;
    return { kind: 'answer', status: 307, headers: { Location: `http://${storage.host}${path}` } };
  };
  const side = await openSide(t);
  const reference = parseReference(`${proxy.host}/elsewhere:1`);
  const signal = new AbortController().signal;
  const credentials = { username: 'user', password: 'secret' };
  await side.transfers.pull({ reference, access: { credentials } }, { onProgress: () => undefined, signal });
  assert.equal(side.store.images.resolve(`${proxy.host}/elsewhere:1`).id, image.id);
  assert.deepEqual(
    storage.seen.map(({ headers }) => headers.authorization),
    [undefined],
  );
  assert.ok(proxy.seen.some(({ headers }) => headers.authorization?.startsWith('Basic ')));
});

/** Makes the proxy want tokens, which it gives for `uses` requests each. Every other request must bring one. */
function wantTokens(proxy: FaultProxy, uses: number): { readonly scopes: string[][] } {
  const scopes: string[][] = [];
  const left = new Map<string, number>();
  proxy.faultFor = ({ path, headers }) => {
    const url = new URL(path, 'http://x');
    if (url.pathname === '/token') {
      const token = `token-${left.size}`;
      left.set(token, uses);
      scopes.push(url.searchParams.getAll('scope'));
      return { kind: 'answer', status: 200, body: JSON.stringify({ token, expires_in: 300 }) };
    }
    const token = headers.authorization?.replace('Bearer ', '') ?? '';
    const remaining = left.get(token) ?? 0;
    left.set(token, remaining - 1);
    delete headers.authorization;
    if (remaining > 0) return undefined;
    const challenge = `Bearer realm="http://${proxy.host}/token",service="test"`;
    return { kind: 'answer', status: 401, headers: { 'WWW-Authenticate': challenge } };
  };
  return { scopes };
}

test('a token that expires in mid-push is fetched again, with both scopes for a mount', async (t) => {
  const side = await openSide(t);
  const base = await importBase(side.store);
  const child = await addChild(side.store, await addChild(side.store, base));
  const proxy = await startFaultProxy(t, registry.host);
  const { scopes } = wantTokens(proxy, 4);
  side.store.images.tag(child.id, `${proxy.host}/tokens:1`);
  await side.push(`${proxy.host}/tokens:1`);
  assert.ok(scopes.length > 2, `${scopes.length} tokens`);
  assert.deepEqual(scopes[0], ['repository:tokens:pull,push']);
  side.store.images.tag(child.id, `${proxy.host}/mounted:1`);
  const told: string[] = [];
  await side.push(`${proxy.host}/mounted:1`, { tell: ({ status = '' }) => void told.push(status) });
  assert.equal(told.filter((status) => status === 'Mounted from tokens').length, 3, told.join('\n'));
  assert.ok(scopes.some((list) => list.length === 2 && list[1] === 'repository:tokens:pull'));
  const other = await openSide(t);
  await other.pull(`${registry.host}/mounted:1`);
  assert.equal(other.store.images.resolve(`${registry.host}/mounted:1`).id, child.id);
});

test('a push that broke is tried again', async (t) => {
  const { image, side } = await pushed(t, 'broken');
  const proxy = await startFaultProxy(t, registry.host);
  side.store.images.tag(image.id, `${proxy.host}/again:1`);
  let bodies = 0;
  proxy.faultFor = ({ method, headers }) => {
    if (method !== 'PUT' || Number(headers['content-length']) < 50_000) return undefined;
    bodies += 1;
    if (bodies === 1) return { kind: 'answer', status: 500 };
    if (bodies === 2) return { kind: 'cutRequest', after: 40_000 };
    return undefined;
  };
  await side.push(`${proxy.host}/again:1`);
  assert.equal(bodies, 3);
  const other = await openSide(t);
  await other.pull(`${registry.host}/again:1`);
  assert.equal(other.store.images.resolve(`${registry.host}/again:1`).id, image.id);
});

test('a push whose last answer is lost sends nothing again', async (t) => {
  const { image, side } = await pushed(t, 'heard');
  const proxy = await startFaultProxy(t, registry.host);
  side.store.images.tag(image.id, `${proxy.host}/unheard:1`);
  let lost = 0;
  let sentBytes = 0;
  proxy.faultFor = ({ method, path, headers }) => {
    if (method !== 'PUT' || !path.includes('digest=')) return undefined;
    sentBytes += Number(headers['content-length']);
    lost += 1;
    return lost > 2 ? undefined : { kind: 'cutAnswer' };
  };
  await side.push(`${proxy.host}/unheard:1`);
  assert.equal(lost, 2, 'layer and config, each ended once');
  assert.ok(sentBytes < 1.5 * layerBytes, `${sentBytes} bytes sent`);
});

test('a disk that fills up leaves nothing', async (t) => {
  await pushed(t, 'full');
  for (const diskBytes of [500_000, 800_000]) {
    const side = await openSide(t, { diskBytes });
    await assert.rejects(side.pull(`${registry.host}/full:1`), {
      message: /ENOSPC|[Nn]o space left|Wrote only/,
    });
    await nothingIn(side);
  }
});
