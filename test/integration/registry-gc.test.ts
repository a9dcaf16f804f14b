import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { run } from '../../src/lib/run.ts';
import { manifestOf, startRegistry, type TestRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const gantry = join(import.meta.dirname, '../../bin/gantry');
const manifestType = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };

async function collect(registry: TestRegistry, ...args: string[]): Promise<string> {
  return (await run(gantry, ['registry', 'gc', '--root', registry.root, ...args])).stdout;
}

/** Makes everything look as if nobody had used it for two days. */
function age(root: string): void {
  const then = new Date(Date.now() - 2 * 86_400_000);
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), then, then);
  }
}

async function heads(registry: TestRegistry, path: string): Promise<number> {
  return (await registry.fetch(path, { method: 'HEAD' })).status;
}

test('gc frees what nobody needs, tells it beforehand, and leaves what is new, in flight or asked for', async (t) => {
  const registry = await startRegistry(t);
  await registry.pushImage('x', 'v1', ['one']);
  await registry.pushImage('x', 'v2', ['two']);
  const loose = await registry.pushBlob('x', 'loose');
  const asked = await registry.pushBlob('x', 'asked for');
  const begun = await registry.fetch('/v2/x/blobs/uploads/', { method: 'POST' });
  age(registry.root);
  const fresh = await registry.pushBlob('x', 'fresh');
  await registry.fetch('/v2/x/manifests/v2', { method: 'DELETE' });
  assert.equal(await heads(registry, `/v2/x/blobs/${asked}`), 200);

  const dry = await collect(registry, '--dry-run', '--delete-untagged', '1d');
  assert.match(dry, new RegExp(`would remove blob x ${loose}\n`));
  assert.match(dry, /would remove manifest x sha256:/);
  // A HEAD would count as use.
  assert.equal((await registry.fetch(`/v2/x/blobs/${loose}`)).status, 200);

  const kept = await collect(registry);
  assert.equal(kept, `removed blob x ${loose}\nFreed: 1 blobs, 5B\n`);
  const told = await collect(registry, '--delete-untagged', '1d');
  assert.match(told, /removed manifest x sha256:\w+\nremoved blob x sha256:\w+\nFreed: 2 blobs/);
  for (const digest of [asked, fresh]) assert.equal(await heads(registry, `/v2/x/blobs/${digest}`), 200);
  assert.equal(await heads(registry, '/v2/x/manifests/v1'), 200);
  assert.equal((await registry.fetch(begun.headers.get('location') ?? '')).status, 204);
});

test('retention goes by the configuration, in the server too', async (t) => {
  const retention = [{ repositories: ['x'], tags: ['pr-*'], keepLast: 1 }];
  const gc = { every: '1s', grace: '0s' };
  const registry = await startRegistry(t);
  for (const tag of ['pr-1', 'pr-2', 'main']) {
    await registry.pushImage('x', tag, [tag]);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await registry.end();
  const other = await startRegistry(t, { root: registry.root, config: { gc, retention } });
  const isGone = async () => (await heads(other, '/v2/x/manifests/pr-1')) !== 200;
  await until(isGone, 'the oldest is not collected', 120);
  const tags = await (await other.fetch('/v2/x/tags/list')).json();
  assert.deepEqual(tags, { name: 'x', tags: ['main', 'pr-2'] });
  const hasFreed = () =>
    other.log().some((line) => line['msg'] === 'garbage collected' && line['freedBlobs'] === 2);
  await until(hasFreed, 'its blobs are not freed', 120);
});

test('two registries and collectors on one directory: a push is refused or has all it needs', async (t) => {
  const one = await startRegistry(t);
  const two = await startRegistry(t, { root: one.root });
  const repositories = Array.from({ length: 24 }, (_, at) => `team/x${at}`);
  const layers = ['a layer that everybody has', randomBytes(10_000)];
  for (const repository of repositories) {
    for (const layer of [...layers, '{}', repository]) await one.pushBlob(repository, layer);
  }
  age(one.root);
  // All blobs may go now, and each of these pushes relies on some that are there.
  const [pushed] = await Promise.all([
    Promise.all(
      repositories.map(async (repository, at) => {
        await new Promise((resolve) => setTimeout(resolve, at * 120));
        const response = await (at % 2 === 0 ? one : two).fetch(`/v2/${repository}/manifests/v1`, {
          method: 'PUT',
          headers: manifestType,
          body: manifestOf([...layers, repository]),
        });
        const text = await response.text();
        if (response.status === 400 && text.includes('MANIFEST_BLOB_UNKNOWN')) return [];
        assert.equal(response.status, 201, text);
        return [repository];
      }),
    ),
    run(gantry, ['registry', 'gc', '--root', one.root], { accept: [0, 1] }),
    run(gantry, ['registry', 'gc', '--root', one.root], { accept: [0, 1] }),
  ]);
  for (const repository of pushed.flat()) {
    const manifest = await two.fetch(`/v2/${repository}/manifests/v1`);
    const { config, layers: stored } = (await manifest.json()) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    for (const { digest } of [config, ...stored]) {
      const blob = await one.fetch(`/v2/${repository}/blobs/${digest}`);
      assert.equal(blob.status, 200, `${repository} ${digest}`);
      await blob.arrayBuffer();
    }
  }
  t.diagnostic(`${pushed.flat().length} of ${repositories.length} pushes came before the collector`);
});
