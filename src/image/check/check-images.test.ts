import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import {
  addChild,
  type ImageStore,
  importBase,
  openImageStore,
  streamOf,
} from '../../../test/support/image-store.ts';
import type { StoreProblem } from '../../api/index.ts';
import { type Digest, hexOf } from '../../oci/index.ts';
import type { Image } from '../images.ts';

async function storeWithApp(t: TestContext): Promise<{ store: ImageStore; base: Image; app: Image }> {
  const store = await openImageStore(t);
  const base = await importBase(store, 'base:1');
  const app = await addChild(store, base);
  store.images.tag(app.id, 'app:1');
  return { store, base, app };
}

async function check(store: ImageStore, repair = false): Promise<StoreProblem[]> {
  const { signal } = new AbortController();
  const steps = await Array.fromAsync(store.images.check({ repair, signal }));
  return steps.flatMap((step) => ('checking' in step ? [] : [step]));
}

const lines = (problems: readonly StoreProblem[]) =>
  problems.map(({ Object: kind, ID, Problem, Mended }) => `${kind} ${ID} ${Problem} ${Mended}`);
const blobPath = ({ root }: ImageStore, digest: Digest) => join(root, 'content/blobs/sha256', hexOf(digest));

/** The directory of a committed layer. */
function treeOf(store: ImageStore, chainId: string | undefined): string {
  const row = store.metadata.db.prepare('SELECT directory FROM snapshots WHERE name = ?').get(chainId ?? '');
  return join(store.root, 'snapshots', String(row?.['directory']));
}

test('check() finds nothing in a whole store, and is cut short when told to', async (t) => {
  const { store } = await storeWithApp(t);
  assert.deepEqual(await check(store), []);
  assert.deepEqual(await check(store, true), []);
  const cut = store.images.check({ repair: false, signal: AbortSignal.abort() });
  await assert.rejects(Array.fromAsync(cut), { name: 'AbortError' });
});

test('check() tells each image, blob and layer that it looks at, once', async (t) => {
  const { store, base, app } = await storeWithApp(t);
  store.images.tag(base.id, 'base:2');
  const blobs = await Array.fromAsync(store.content.list());
  const steps = await Array.fromAsync(
    store.images.check({ repair: false, signal: new AbortController().signal }),
  );
  assert.deepEqual(
    steps.flatMap((step) => ('checking' in step ? [step.checking] : [])).sort(),
    [
      ...[base, app].flatMap(({ id, chainId }) => [`image ${id}`, `layer ${chainId}`]),
      ...blobs.map(({ digest }) => `blob ${digest}`),
    ].sort(),
  );
});

test('check() unpacks a tree again that is not as its blob says', async (t) => {
  const { store, base, app } = await storeWithApp(t);
  const tree = treeOf(store, app.chainId);
  writeFileSync(join(tree, 'fs/etc/child'), Buffer.alloc(1000));
  writeFileSync(join(tree, 'fs/stranger'), '');
  rmSync(treeOf(store, base.chainId), { recursive: true });
  const wrong = [
    `layer ${base.chainId} is not as its blob says: /etc/base is missing`,
    `layer ${app.chainId} is not as its blob says: /etc/child has other content, /stranger is not of the layer`,
  ];
  assert.deepEqual(
    lines(await check(store)),
    wrong.map((line) => `${line} false`),
  );
  assert.deepEqual(
    lines(await check(store, true)),
    wrong.map((line) => `${line} true`),
  );
  assert.deepEqual(await check(store), []);
  await using view = await store.snapshots.view(app.chainId ?? app.id);
  assert.deepEqual(readdirSync(view.root), ['etc']);
  assert.ok(readFileSync(join(view.root, 'etc/child')).some((byte) => byte !== 0));
});

test('check() leaves a tree that a container stands on, and says so', async (t) => {
  const { store, base } = await storeWithApp(t);
  await store.snapshots.prepare('runs', base.chainId);
  await store.snapshots.mount('runs');
  writeFileSync(join(treeOf(store, base.chainId), 'fs/etc/base'), 'x');
  const [problem] = await check(store, true);
  assert.equal(problem?.Mended, false);
  assert.equal(problem?.Note, `layer ${base.chainId} is in use by container runs`);
  await store.snapshots.unmount('runs');
  assert.equal((await check(store, true))[0]?.Mended, true);
});

test('check() makes configs and manifests again, and drops a layer blob that only a load can bring', async (t) => {
  const { store, app } = await storeWithApp(t);
  const archive = await buffer(await store.images.save(['app:1']));
  const layer = store.images.layersOf(app.id)[1];
  assert.ok(layer !== undefined);
  rmSync(blobPath(store, app.id));
  writeFileSync(blobPath(store, app.manifest), 'damaged');
  writeFileSync(blobPath(store, layer.digest), 'damaged');
  const problems = await check(store, true);
  assert.deepEqual(
    problems.map(({ ID, Mended }) => [ID, Mended]),
    [
      [app.id, true],
      [app.manifest, true],
      [layer.digest, false],
    ],
  );
  assert.equal(problems[2]?.Note, 'load or pull image app:1 again');
  assert.deepEqual(lines(await check(store)), [`blob ${layer.digest} is missing false`]);
  await store.images.load(streamOf(archive), () => undefined);
  assert.deepEqual(await check(store), []);
});

test('check() drops what belongs to nothing, and writes index.json and rows anew', async (t) => {
  const { store, app } = await storeWithApp(t);
  writeFileSync(join(store.root, 'content/blobs/sha256/stray'), '');
  writeFileSync(blobPath(store, `sha256:${'0'.repeat(64)}` as Digest), 'nobody wants it');
  mkdirSync(join(store.root, 'snapshots/stray/fs'), { recursive: true });
  await check(store);
  writeFileSync(join(store.root, 'content/index.json'), '{}');
  store.metadata.db
    .prepare("UPDATE images SET config = replace(config, 'sh', 'ah') WHERE id = ?")
    .run(app.id);
  const problems = await check(store, true);
  assert.deepEqual(
    problems.map(({ ID, Mended }) => [ID, Mended]),
    [
      [app.id, true],
      [`sha256:${'0'.repeat(64)}`, true],
      ['content/blobs/sha256/stray', true],
      ['snapshots/stray', true],
      ['index.json', true],
    ],
  );
  assert.deepEqual(await check(store), []);
  assert.deepEqual(store.images.inspect(app.id).Config.Cmd, ['sh']);
});
