import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import test, { type TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  addChild,
  type ImageStore,
  importBase,
  openImageStore,
  streamOf,
  tarOf,
} from '../../../test/support/image-store.ts';
import { run } from '../../lib/run.ts';
import { digestOf, hexOf, hostPlatform, MediaType, type Platform } from '../../oci/index.ts';
import type { Image } from '../images.ts';

const remove = { force: true, noPrune: false };

/** A store with an image of two layers, `app:1`. */
async function storeWithApp(t: TestContext): Promise<{ store: ImageStore; app: Image }> {
  const store = await openImageStore(t);
  const app = await addChild(store, await importBase(store));
  store.images.tag(app.id, 'app:1');
  return { store, app };
}

async function load(store: ImageStore, archive: Buffer): Promise<string> {
  let text = '';
  await store.images.load(streamOf(archive), ({ stream = '' }) => {
    text += stream;
  });
  return text;
}

async function save(store: ImageStore, ...names: string[]): Promise<Buffer> {
  return buffer(await store.images.save(names));
}

async function directoryOf(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-archive-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function nothingIn(store: ImageStore): Promise<void> {
  assert.deepEqual(await Array.fromAsync(store.content.list()), []);
  assert.deepEqual(store.snapshots.list().committed, []);
  assert.deepEqual(store.images.list({ all: true, filters: new Map(), sharedSize: false }), []);
}

test('what save() writes, load() reads, in every compression', async (t) => {
  const { store, app } = await storeWithApp(t);
  const archive = await save(store, 'app:1');
  const xz = await run('sh', ['-c', 'xz -0 | base64 -w0'], { input: archive });
  const forms = [archive, gzipSync(archive), zstdCompressSync(archive), Buffer.from(xz.stdout, 'base64')];
  const other = await openImageStore(t);
  for (const form of forms) {
    assert.equal(await load(other, form), 'Loaded image: app:1\n');
    const loaded = other.images.resolve('app:1');
    assert.equal(loaded.id, app.id);
    assert.equal(loaded.manifest, app.manifest);
    assert.equal(other.images.inspect('app:1').Size, store.images.inspect('app:1').Size);
    await using view = await other.snapshots.view(loaded.chainId ?? assert.fail());
    await run('test', ['-f', join(view.root, 'etc/child')]);
    await other.images.remove('app:1', remove);
    await nothingIn(other);
  }
});

test('save() gives the same bytes again, shared layers once, and all tags of a repository', async (t) => {
  const { store, app } = await storeWithApp(t);
  store.images.tag(app.id, 'app:2');
  const sibling = await addChild(store, store.images.resolve(app.parent ?? assert.fail()));
  store.images.tag(sibling.id, 'sibling');
  const archive = await save(store, 'app', 'sibling');
  assert.ok(archive.equals(await save(store, 'app', 'sibling')));
  const blobs = await Array.fromAsync(store.content.list());
  const base = blobs.reduce((size, blob) => size + Math.ceil(blob.size / 512) * 512 + 512, 0);
  assert.ok(archive.length < base + 16_384, 'each blob is in it once');
  const other = await openImageStore(t);
  assert.equal(
    await load(other, archive),
    'Loaded image: app:1\nLoaded image: app:2\nLoaded image: sibling:latest\n',
  );
});

test('save() by id saves no names, and load() says the id', async (t) => {
  const { store, app } = await storeWithApp(t);
  const archive = await save(store, hexOf(app.id).slice(0, 12));
  const other = await openImageStore(t);
  assert.equal(await load(other, archive), `Loaded image ID: ${app.id}\n`);
  await assert.rejects(store.images.save(['nothing']), { code: 'notFound' });
});

test('load() moves a name and says so', async (t) => {
  const { store, app } = await storeWithApp(t);
  const archive = await save(store, 'app:1');
  const old = await importBase(store, 'app:1');
  assert.equal(
    await load(store, archive),
    `The image app:1 already exists, renaming the old one with ID ${old.id} to empty string\nLoaded image: app:1\n`,
  );
  assert.equal(store.images.resolve('app:1').id, app.id);
});

test('skopeo reads what save() writes, both ways, and load() what skopeo writes', async (t) => {
  const { store, app } = await storeWithApp(t);
  const directory = await directoryOf(t);
  const saved = join(directory, 'saved.tar');
  await pipeline(await store.images.save(['app:1']), createWriteStream(saved));
  const copies = [
    [`docker-archive:${saved}`, `docker-archive:${join(directory, 'a.tar')}:app:1`, 'a.tar'],
    [`oci-archive:${saved}`, `oci-archive:${join(directory, 'b.tar')}:app:1`, 'b.tar'],
    [`oci:${join(store.root, 'content')}:app:1`, `docker-archive:${join(directory, 'c.tar')}:app:1`, 'c.tar'],
  ] as const;
  await store.images[Symbol.asyncDispose]();
  for (const [from, to, file] of copies) {
    await run('skopeo', ['copy', '-q', '--insecure-policy', from, to]);
    const other = await openImageStore(t);
    const messages: string[] = [];
    await other.images.load(createReadStream(join(directory, file)), ({ stream }) => {
      if (stream !== undefined) messages.push(stream);
    });
    assert.deepEqual(messages, ['Loaded image: app:1\n'], file);
    const loaded = other.images.resolve('app:1');
    assert.deepEqual(loaded.config.rootfs, app.config.rootfs, file);
  }
});

test('a layer that is there is not unpacked again, but still verified', async (t) => {
  const { store } = await storeWithApp(t);
  const archive = await save(store, 'app:1');
  const before = store.snapshots.list().committed.length;
  await load(store, archive);
  assert.equal(store.snapshots.list().committed.length, before);
});

/** A docker archive made by hand, in the order of `order`. */
function dockerArchive(options: { readonly manifestFirst: boolean; readonly layer?: Buffer }): {
  archive: Buffer;
  id: string;
} {
  const layer = tarOf({ big: randomBytes(2_000_000) });
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
  const manifest = JSON.stringify([{ Config: 'c.json', RepoTags: ['hand:made'], Layers: ['x/layer.tar'] }]);
  const files = { 'x/layer.tar': options.layer ?? layer };
  const names = { 'c.json': config, 'manifest.json': manifest };
  const archive = tarOf(options.manifestFirst ? { ...names, ...files } : { ...files, ...names });
  return { archive, id: digestOf(config) };
}

test('load() reads a docker archive whose manifest comes last, and one where it comes first', async (t) => {
  for (const manifestFirst of [true, false]) {
    const store = await openImageStore(t);
    const { archive, id } = dockerArchive({ manifestFirst });
    assert.equal(await load(store, archive), 'Loaded image: hand:made\n');
    assert.equal(store.images.resolve('hand:made').id, id);
    assert.equal(store.snapshots.list().committed.length, 1);
  }
});

/** An image of one layer more than `base`, whose own layers stand at `paths` as `files` has them. */
function archiveOn(base: Image, paths: readonly string[], files: Readonly<Record<string, string>>): Buffer {
  const layer = tarOf({ new: randomBytes(1000) });
  const { rootfs } = base.config;
  return tarOf({
    ...files,
    'x.tar': layer,
    'c.json': JSON.stringify({
      ...base.config,
      rootfs: { ...rootfs, diff_ids: [...rootfs.diff_ids, digestOf(layer)] },
    }),
    'manifest.json': JSON.stringify([
      { Config: 'c.json', RepoTags: ['on:base'], Layers: [...paths, 'x.tar'] },
    ]),
  });
}

test('load() takes layers from the images here where a docker archive has no bytes for them', async (t) => {
  const { store, app } = await storeWithApp(t);
  const [first = assert.fail(), second = assert.fail()] = store.images.layersOf(app.id);
  const blanks = ['blank_0', 'blank_1'];
  const archives = {
    empty: archiveOn(app, blanks, { blank_0: '', blank_1: '' }),
    missing: archiveOn(app, blanks, {}),
    'without a path': archiveOn(app, ['', ''], {}),
  };
  for (const [what, archive] of Object.entries(archives)) {
    assert.match(await load(store, archive), /Loaded image: on:base\n$/, what);
    const layers = store.images.layersOf(store.images.resolve('on:base').id);
    assert.equal(layers.length, 3);
    assert.deepEqual(layers.slice(0, 2), [first, second], what);
    const other = await openImageStore(t);
    await assert.rejects(load(other, archive), { code: 'invalidArgument' }, what);
    await nothingIn(other);
    assert.equal(await load(other, await save(store, 'on:base')), 'Loaded image: on:base\n', what);
  }
});

test('load() does so for compressed layers, without a look at them', async (t) => {
  const store = await openImageStore(t);
  const layer = tarOf({ big: randomBytes(2000) });
  const config = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  };
  const manifest = JSON.stringify([{ Config: 'c.json', RepoTags: ['gzip:1'], Layers: ['l'] }]);
  await load(
    store,
    tarOf({ l: gzipSync(layer), 'c.json': JSON.stringify(config), 'manifest.json': manifest }),
  );
  const base = store.images.resolve('gzip:1');
  const archive = archiveOn(base, ['l'], {});
  const unpacked: unknown[] = [];
  await store.images.load(streamOf(archive), ({ status, id }) => {
    if (status === 'Loading layer') unpacked.push(id);
  });
  assert.equal(unpacked.length, 1);
  const [first] = store.images.layersOf(store.images.resolve('on:base').id);
  assert.deepEqual(first, store.images.layersOf(base.id)[0]);
});

test('a damaged archive changes nothing', async (t) => {
  const { store } = await storeWithApp(t);
  const good = await save(store, 'app:1');
  const flipped = Buffer.from(good);
  flipped.writeUInt8(flipped.readUInt8(good.length - 2000) ^ 0xff, good.length - 2000);
  const wrongLayer = { layer: tarOf({ other: randomBytes(2_000_000) }) };
  const damaged: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    'not a tar': randomBytes(5000),
    'cut off': good.subarray(0, good.length - 4000),
    'a flipped byte': flipped,
    'no manifest': tarOf({ a: 'b' }),
    'bad JSON': tarOf({ 'manifest.json': '[{' }),
    'missing config': tarOf({ 'manifest.json': '[{"Config":"x","Layers":[]}]' }),
    'path out of the archive': tarOf({ 'manifest.json': '[{"Config":"../../etc/passwd","Layers":[]}]' }),
    'cut off gzip': gzipSync(good).subarray(0, 900),
    'wrong layer, manifest first': dockerArchive({ manifestFirst: true, ...wrongLayer }).archive,
    'wrong layer, manifest last': dockerArchive({ manifestFirst: false, ...wrongLayer }).archive,
  };
  for (const [what, archive] of Object.entries(damaged)) {
    const other = await openImageStore(t);
    await assert.rejects(load(other, archive), { code: 'invalidArgument' }, what);
    await nothingIn(other);
  }
});

test('load() that is aborted changes nothing', async (t) => {
  const store = await openImageStore(t);
  const { archive } = dockerArchive({ manifestFirst: true });
  const controller = new AbortController();
  const source = streamOf(archive);
  source.once('data', () => {
    controller.abort();
  });
  await assert.rejects(store.images.load(source, () => undefined, { signal: controller.signal }));
  await nothingIn(store);
});

test('an empty archive of images loads none', async (t) => {
  const store = await openImageStore(t);
  assert.equal(await load(store, tarOf({ 'manifest.json': '[]' })), '');
});

test('load() onto a disk that fills up changes nothing', async (t) => {
  const { archive } = dockerArchive({ manifestFirst: true });
  // Too small for the blob; and enough for it, but not for the unpacked layer beside it.
  for (const diskBytes of [1_600_000, 3_000_000]) {
    const store = await openImageStore(t, { diskBytes });
    await assert.rejects(load(store, archive), { message: /ENOSPC|[Nn]o space left|Wrote only/ });
    await nothingIn(store);
  }
});

/** The parts of an OCI layout: an image of one large layer, made by hand. */
function layoutImage(platform: Platform = hostPlatform()) {
  const layer = tarOf({ big: randomBytes(2_000_000) });
  const config = Buffer.from(
    JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: descriptorOf(config, MediaType.ociConfig),
      layers: [descriptorOf(layer, MediaType.ociLayer)],
    }),
  );
  return {
    blobs: [layer, config, manifest],
    id: digestOf(config),
    layer: digestOf(layer),
    descriptor: { ...descriptorOf(manifest, MediaType.ociManifest), platform },
  };
}

function descriptorOf(blob: Buffer, mediaType: string) {
  return { mediaType, digest: digestOf(blob), size: blob.length };
}

function layoutOf(blobs: readonly Buffer[], manifests: readonly object[]): Buffer {
  const files = blobs.map((blob) => [`blobs/sha256/${hexOf(digestOf(blob))}`, blob] as const);
  return tarOf({
    ...Object.fromEntries(files),
    'index.json': JSON.stringify({ schemaVersion: 2, manifests }),
  });
}

test('load() takes the name of a layout that is none of ours with the tag latest, or not at all', async (t) => {
  const store = await openImageStore(t);
  const { blobs, id, descriptor } = layoutImage();
  const loadNamed = (name: string) => {
    const annotations = { 'org.opencontainers.image.ref.name': name };
    return load(store, layoutOf(blobs, [{ ...descriptor, annotations }]));
  };
  assert.equal(await loadNamed('docker.io/library/x'), 'Loaded image: x:latest\n');
  assert.equal(await loadNamed('feature/login'), 'Loaded image: feature/login:latest\n');
  for (const name of ['MyApp:1', `x@${id}`, '1.0']) {
    assert.equal(await loadNamed(name), `Loaded image ID: ${id}\n`, name);
  }
});

test('load() takes the platform of an index that this host runs, and keeps nothing of the others', async (t) => {
  const store = await openImageStore(t);
  const host = hostPlatform();
  const [newer, own, other] = [
    layoutImage({ ...host, variant: 'v9' }),
    layoutImage(host),
    layoutImage({ ...host, architecture: 's390x' }),
  ];
  const manifests = [newer, own, other].map(({ descriptor }) => descriptor);
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }));
  const blobs = [newer, own, other].flatMap((image) => image.blobs);
  const archive = layoutOf([...blobs, index], [descriptorOf(index, MediaType.ociIndex)]);
  assert.equal(await load(store, archive), `Loaded image ID: ${own.id}\n`);
  const large = (await Array.fromAsync(store.content.list())).filter(({ size }) => size > 1_000_000);
  assert.deepEqual(
    large.map(({ digest }) => digest),
    [own.layer],
  );
});
