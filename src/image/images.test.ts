import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  addChild,
  type ImageStore,
  importBase,
  openImageStore,
  streamOf,
  tarOf,
} from '../../test/support/image-store.ts';
import { shortId } from '../lib/ids.ts';
import { hexOf } from '../oci/index.ts';

const noFilters = new Map<string, string[]>();
const listing = { all: false, filters: noFilters, sharedSize: false };
const plainRemove = { force: false, noPrune: false };

function events(store: ImageStore): string[] {
  return [...store.metadata.journal.read({})].map(({ action }) => action);
}

test('resolve() finds an image by id, prefix, and every form of its name', async (t) => {
  const store = await openImageStore(t);
  const { images } = store;
  const image = await importBase(store, 'box');
  const hex = hexOf(image.id);
  for (const name of [
    'box',
    'box:latest',
    'docker.io/library/box',
    image.id,
    hex,
    hex.slice(0, 12),
    `sha256:${hex.slice(0, 8)}`,
  ]) {
    assert.equal(images.resolve(name).id, image.id, name);
  }
  assert.throws(() => images.resolve('other'), { code: 'notFound', message: 'No such image: other:latest' });
  assert.throws(() => images.resolve('f'.repeat(64)), { code: 'notFound' });
  assert.throws(() => images.resolve('Bad Name'), { code: 'invalidArgument' });
  assert.throws(() => images.resolve(''), { code: 'invalidArgument' });
});

test('resolve() refuses an ambiguous prefix', async (t) => {
  const store = await openImageStore(t);
  const ids: string[] = [];
  for (let count = 0; count < 17; count += 1) {
    ids.push(hexOf((await importBase(store)).id).charAt(0));
  }
  const twice = ids.find((char, index) => ids.indexOf(char) !== index);
  assert.ok(twice);
  assert.throws(() => store.images.resolve(twice), { code: 'notFound', message: /ambiguous/ });
});

test('importRootfs() applies changes and keeps the layer plain, whatever it came in', async (t) => {
  const store = await openImageStore(t);
  const tar = tarOf({ a: 'x' });
  const options = { changes: ['ENV A=b', 'EXPOSE 80'], reference: 'imp:1', message: 'hi' };
  const image = await store.images.importRootfs(streamOf(gzipSync(tar)), options);
  assert.deepEqual(image.config.config, { Env: ['A=b'], ExposedPorts: { '80/tcp': {} } });
  const [layer] = store.images.layersOf(image.id);
  assert.equal(layer?.digest, image.config.rootfs.diff_ids[0]);
  assert.equal(store.images.inspect('imp:1').Comment, 'hi');
  await using view = await store.snapshots.view(image.chainId ?? assert.fail());
  assert.equal(await readFile(join(view.root, 'a'), 'utf8'), 'x');
});

test('inspect() shows an empty config where an image has none: clients look into it', async (t) => {
  const { images } = await openImageStore(t);
  const rootfs = { type: 'layers', diff_ids: [] } as const;
  const { id } = await images.add({ config: { architecture: 'amd64', os: 'linux', rootfs }, layers: [] });
  assert.deepEqual(images.inspect(id).Config, {});
});

test('importRootfs() of a hostile archive names the entry and leaves nothing', async (t) => {
  const store = await openImageStore(t);
  const bad = streamOf(tarOf({ '../escape': 'x' }));
  await assert.rejects(store.images.importRootfs(bad, { changes: [] }), /escape/);
  assert.deepEqual(await Array.fromAsync(store.content.list()), []);
  assert.deepEqual(store.snapshots.list().committed, []);
});

test('tag() moves a name, and the old image stays without one', async (t) => {
  const store = await openImageStore(t);
  const first = await importBase(store, 'app');
  const second = await importBase(store);
  store.images.tag(second.id, 'app');
  assert.equal(store.images.resolve('app').id, second.id);
  assert.deepEqual(store.images.inspect(first.id).RepoTags, []);
  assert.throws(() => store.images.tag('app', `x@${first.id}`), { message: /refusing to create a tag/ });
  assert.throws(() => store.images.tag('app', 'BAD'), { code: 'invalidArgument' });
  assert.deepEqual(events(store), ['tag', 'import', 'import', 'tag']);
});

test('events of an image carry its labels, and tell of one that a commit or a build step made', async (t) => {
  const store = await openImageStore(t);
  const { images, metadata } = store;
  const changes = ['LABEL of=test'];
  const base = await images.importRootfs(streamOf(tarOf({ a: 'x' })), { changes, reference: 'labelled:1' });
  const archive = await buffer(await images.save(['labelled:1']));
  await images.remove('labelled:1', plainRemove);
  await images.load(streamOf(archive), () => undefined);
  const step = await addChild(store, base);
  await store.snapshots.prepare('c', base.chainId ?? assert.fail());
  const config = { Labels: { of: 'commit' } };
  const request = { containerId: 'c', snapshotKey: 'c', base: base.id, config, reference: 'made:1' };
  const made = await images.commit(request);
  const told = [...metadata.journal.read({})].map(({ action, id, attributes }) => [action, id, attributes]);
  const labels = { of: 'test' };
  assert.deepEqual(told, [
    ['tag', base.id, { ...labels, name: 'labelled:1' }],
    ['import', base.id, { ...labels, name: base.id }],
    ['save', base.id, { ...labels, name: base.id }],
    ['untag', base.id, { ...labels, name: base.id }],
    // The image is gone by then, for Docker too.
    ['delete', base.id, { name: base.id }],
    ['load', base.id, { ...labels, name: base.id }],
    ['create', step.id, { ...labels, name: step.id }],
    ['create', made.id, { of: 'commit', name: made.id }],
    ['tag', made.id, { of: 'commit', name: 'made:1' }],
  ]);
});

test('list() hides parents without a name unless all are asked for, newest first', async (t) => {
  const store = await openImageStore(t);
  const base = await importBase(store);
  const child = await addChild(store, base);
  store.images.tag(child.id, 'app');
  const ids = (options: Partial<typeof listing>) =>
    store.images.list({ ...listing, ...options }).map(({ Id }) => Id);
  assert.deepEqual(ids({}), [child.id]);
  assert.deepEqual(ids({ all: true }), [child.id, base.id]);
  const [summary] = store.images.list(listing);
  assert.deepEqual(summary?.RepoTags, ['app:latest']);
  assert.equal(summary?.ParentId, base.id);
  assert.equal(summary?.Containers, -1);
  const sharedSize = () => store.images.list({ ...listing, sharedSize: true }).at(-1)?.SharedSize;
  assert.equal(sharedSize(), 0, 'what an image shares with its own parents is its own');
  await addChild(store, base);
  assert.equal(sharedSize(), store.images.inspect(base.id).Size);
});

test('list() filters by dangling, label, reference, since, before and until', async (t) => {
  const store = await openImageStore(t);
  const named = await store.images.importRootfs(streamOf(tarOf({ a: '1' })), {
    changes: ['LABEL a=b'],
    reference: 'host.local:5000/x/app:v1',
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  const dangling = await importBase(store);
  const ids = (key: string, ...values: string[]) =>
    store.images.list({ ...listing, filters: new Map([[key, values]]) }).map(({ Id }) => Id);
  assert.deepEqual(ids('dangling', 'true'), [dangling.id]);
  assert.deepEqual(ids('dangling', 'false'), [named.id]);
  assert.deepEqual(ids('label', 'a'), [named.id]);
  assert.deepEqual(ids('label', 'a=c'), []);
  assert.deepEqual(ids('reference', 'host.local:5000/x/*'), [named.id]);
  assert.deepEqual(ids('reference', 'app'), []);
  assert.deepEqual(ids('since', 'host.local:5000/x/app:v1'), [dangling.id]);
  assert.deepEqual(ids('before', dangling.id), [named.id]);
  assert.deepEqual(ids('until', '1h'), []);
  assert.equal(ids('until', String(Date.now() / 1000 + 60)).length, 2);
  assert.throws(() => ids('dangling', 'maybe'), { code: 'invalidArgument' });
  assert.throws(() => ids('until', 'soon'), { code: 'invalidArgument' });
  assert.throws(() => ids('since', 'nothing'), { code: 'notFound' });
});

test('history() gives ids of the image and the parents that are here', async (t) => {
  const store = await openImageStore(t);
  const base = await importBase(store, 'base');
  const child = await addChild(store, base);
  const history = store.images.history(child.id);
  assert.deepEqual(
    history.map(({ Id }) => Id),
    [child.id, base.id],
  );
  assert.deepEqual(history[1]?.Tags, ['base:latest']);
  assert.ok(history.every(({ Size }) => Size > 0));
});

test('remove() by name untags, and deletes with the last name, layers and untagged parents too', async (t) => {
  const store = await openImageStore(t);
  const { images } = store;
  const base = await importBase(store);
  const child = await addChild(store, base);
  images.tag(child.id, 'a');
  images.tag(child.id, 'b');
  assert.deepEqual(await images.remove('a', plainRemove), [{ Untagged: 'a:latest' }]);
  const removed = await images.remove('b', plainRemove);
  assert.deepEqual(removed, [
    { Untagged: 'b:latest' },
    { Deleted: child.id },
    { Deleted: child.chainId },
    { Deleted: base.id },
    { Deleted: base.chainId },
  ]);
  assert.deepEqual(await Array.fromAsync(store.content.list()), []);
  assert.deepEqual(store.snapshots.list().committed, []);
  assert.equal(images.space().layersSize, 0);
});

test('remove() keeps untagged parents when told to', async (t) => {
  const store = await openImageStore(t);
  const base = await importBase(store);
  const child = await addChild(store, base);
  await store.images.remove(child.id, { force: false, noPrune: true });
  assert.equal(store.images.resolve(base.id).id, base.id);
  assert.ok(store.snapshots.stat(base.chainId ?? assert.fail()));
});

test('remove() refuses in the words of Docker what is in use', async (t) => {
  const store = await openImageStore(t);
  const { images, users } = store;
  const base = await importBase(store, 'base');
  const child = await addChild(store, base);
  const id = shortId(base.id);
  const refuses = (name: string, force: boolean, message: string) =>
    assert.rejects(images.remove(name, { force, noPrune: false }), { code: 'conflict', message });

  await refuses(
    base.id,
    true,
    `conflict: unable to delete ${id} (cannot be forced) - image has dependent child images`,
  );
  images.tag(child.id, 'c1');
  images.tag(child.id, 'c2');
  const childId = shortId(child.id);
  await refuses(
    child.id,
    false,
    `conflict: unable to delete ${childId} (must be forced) - image is referenced in multiple repositories`,
  );
  await images.remove(child.id, { force: true, noPrune: false });

  users.push({ containerId: 'c'.repeat(64), imageId: base.id, running: false });
  const container = 'c'.repeat(12);
  await refuses(
    'base',
    false,
    `conflict: unable to remove repository reference "base" (must force) - container ${container} is using its referenced image ${id}`,
  );
  await refuses(
    base.id,
    false,
    `conflict: unable to delete ${id} (must be forced) - image is being used by stopped container ${container}`,
  );
  users[0] = { containerId: 'c'.repeat(64), imageId: base.id, running: true };
  await refuses(
    base.id,
    true,
    `conflict: unable to delete ${id} (cannot be forced) - image is being used by running container ${container}`,
  );
  assert.equal(images.resolve('base').id, base.id);
});

test('a removed image leaves the snapshot a container stands on until the container goes', async (t) => {
  const store = await openImageStore(t);
  const image = await importBase(store, 'x');
  const chainId = image.chainId ?? assert.fail();
  await store.snapshots.prepare('container', chainId);
  store.users.push({ containerId: 'd'.repeat(64), imageId: image.id, running: false });
  const removed = await store.images.remove('x', { force: true, noPrune: false });
  assert.deepEqual(removed, [{ Untagged: 'x:latest' }, { Deleted: image.id }]);
  assert.ok(store.snapshots.stat(chainId));
  await store.snapshots.remove('container');
  assert.ok((await store.images.collectGarbage()) > 0);
  assert.equal(store.snapshots.stat(chainId), undefined);
});

test('prune() takes dangling images, all unused ones with dangling=false, and never used ones', async (t) => {
  const store = await openImageStore(t);
  const { images } = store;
  const dangling = await importBase(store);
  const named = await importBase(store, 'named');
  const used = await importBase(store);
  store.users.push({ containerId: 'e'.repeat(64), imageId: used.id, running: false });
  const first = await images.prune(noFilters);
  assert.deepEqual(first.ImagesDeleted, [{ Deleted: dangling.id }, { Deleted: dangling.chainId }]);
  assert.ok(first.SpaceReclaimed > 0);
  const second = await images.prune(new Map([['dangling', ['false']]]));
  assert.deepEqual(second.ImagesDeleted[0], { Untagged: 'named:latest' });
  assert.throws(() => images.resolve(named.id), { code: 'notFound' });
  assert.equal(images.resolve(used.id).id, used.id);
});

test('two images of the same layer share its snapshot and blob', async (t) => {
  const store = await openImageStore(t);
  const tar = tarOf({ same: 'x' });
  const first = await store.images.importRootfs(streamOf(tar), { changes: ['ENV A=1'] });
  const second = await store.images.importRootfs(streamOf(tar), { changes: ['ENV A=2'] });
  assert.notEqual(first.id, second.id);
  assert.equal(store.snapshots.list().committed.length, 1);
  await store.images.remove(first.id, plainRemove);
  assert.ok(store.snapshots.stat(second.chainId ?? assert.fail()));
  assert.ok(await store.content.info(store.images.layersOf(second.id)[0]?.digest ?? assert.fail()));
});

test('commit() makes an image of the changes, and of none an empty history entry', async (t) => {
  const store = await openImageStore(t);
  const base = await importBase(store, 'base');
  await store.snapshots.prepare('c', base.chainId);
  const request = { containerId: 'c', snapshotKey: 'c', base: base.id, config: { Cmd: ['true'] } };
  const empty = await store.images.commit({ ...request, comment: 'nothing' });
  assert.deepEqual(empty.config.rootfs, base.config.rootfs);
  assert.equal(empty.config.history?.at(-1)?.empty_layer, true);

  const root = await store.snapshots.mount('c');
  await writeFile(join(root, 'new'), 'content');
  const image = await store.images.commit({ ...request, reference: 'made', author: 'me' });
  assert.equal(image.parent, base.id);
  assert.equal(image.config.author, 'me');
  assert.equal(store.images.resolve('made').id, image.id);
  await using view = await store.snapshots.view(image.chainId ?? assert.fail());
  assert.equal(await readFile(join(view.root, 'new'), 'utf8'), 'content');
  assert.ok(existsSync(join(view.root, 'etc/base')));
  assert.deepEqual(
    store.images.history('made').map(({ Id }) => Id),
    [image.id, base.id],
  );
});

test('add() refuses layers that are not stored', async (t) => {
  const store = await openImageStore(t);
  const base = await importBase(store);
  const missing = base.id;
  const adding = store.images.add({
    config: { ...base.config, rootfs: { type: 'layers', diff_ids: [missing] } },
    layers: [{ digest: missing, size: 1, mediaType: 'x' }],
  });
  await assert.rejects(adding, { code: 'internal' });
});
