import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { addChild, importBase, openImageStore, streamOf, tarOf } from '../../../test/support/image-store.ts';
import { digestOf, hexOf } from '../../oci/index.ts';

const ignore = () => undefined;

test('save() with since leaves out what the other has, and load() takes it from the store', async (t) => {
  const store = await openImageStore(t);
  const { images } = store;
  const base = await importBase(store, 'old:1');
  const child = await addChild(store, base);
  images.tag(child.id, 'new:1');
  const whole = await buffer(await images.save(['new:1']));
  const delta = await buffer(await images.save(['new:1'], { since: ['old:1'] }));
  const [baseLayer, childLayer] = images.layersOf(child.id);
  assert.ok(baseLayer !== undefined && childLayer !== undefined);
  assert.ok(delta.length < whole.length);
  assert.ok(!delta.includes(hexOf(baseLayer.digest) + '\0'.repeat(20)), 'no entry of the base layer');

  await images.remove('new:1', { force: false, noPrune: true });
  await images.load(streamOf(delta), ignore);
  assert.equal(images.resolve('new:1').id, child.id);

  const other = await openImageStore(t);
  await assert.rejects(other.images.load(streamOf(delta), ignore), {
    code: 'notFound',
    message: `the archive holds only what old:1 lacks: load or pull old:1 first, for these blobs are not here: ${baseLayer.digest}`,
  });
  assert.deepEqual(await Array.fromAsync(other.content.list()), []);
  assert.deepEqual(other.snapshots.list().committed, []);
  await other.images.load(streamOf(await buffer(await images.save(['old:1']))), ignore);
  await other.images.load(streamOf(delta), ignore);
  assert.equal(other.images.resolve('new:1').id, child.id);
  await assert.rejects(images.save(['new:1'], { since: ['nothing'] }), { code: 'notFound' });
});

test('load() refuses a list of left out blobs that is none', async (t) => {
  const { images } = await openImageStore(t);
  for (const text of ['{', '{}', '{"since":["a"],"omitted":[{"digest":"x","size":1}]}']) {
    const archive = tarOf({ 'manifest.json': '[]', 'gantry-delta.json': text });
    await assert.rejects(images.load(streamOf(archive), ignore), {
      code: 'invalidArgument',
      message: 'invalid archive: invalid gantry-delta.json',
    });
  }
});

/** An OCI layout with an index of images for these architectures. */
function layoutOf(architectures: readonly string[]): Buffer {
  const files: Record<string, string | Buffer> = { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' };
  const add = (bytes: string | Buffer, mediaType: string) => {
    const digest = digestOf(bytes);
    files[`blobs/sha256/${hexOf(digest)}`] = bytes;
    return { mediaType, digest, size: Buffer.byteLength(bytes) };
  };
  const oci = (kind: string) => `application/vnd.oci.image.${kind}`;
  const manifests = architectures.map((architecture) => {
    const tar = tarOf({ architecture });
    const layer = add(tar, oci('layer.v1.tar'));
    const rootfs = { type: 'layers', diff_ids: [layer.digest] };
    const config = add(JSON.stringify({ architecture, os: 'linux', rootfs }), oci('config.v1+json'));
    const manifest = { schemaVersion: 2, mediaType: oci('manifest.v1+json'), config, layers: [layer] };
    return {
      ...add(JSON.stringify(manifest), oci('manifest.v1+json')),
      platform: { os: 'linux', architecture },
    };
  });
  const index = { schemaVersion: 2, mediaType: oci('index.v1+json'), manifests };
  const annotations = { 'io.containerd.image.name': 'docker.io/library/multi:1' };
  const top = { ...add(JSON.stringify(index), oci('index.v1+json')), annotations };
  return tarOf({ 'index.json': JSON.stringify({ ...index, manifests: [top] }), ...files });
}

test('load() takes the platform asked for, and names those there are when it is none of them', async (t) => {
  const { images } = await openImageStore(t);
  const archive = layoutOf(['arm64', 'riscv64']);
  const platforms = [{ os: 'linux', architecture: 'riscv64' }];
  await images.load(streamOf(archive), ignore, { platforms });
  assert.equal(images.inspect('multi:1').Architecture, 'riscv64');
  for (const wanted of [[], [{ os: 'linux', architecture: 's390x' }]]) {
    await assert.rejects(
      images.load(streamOf(layoutOf(['arm64', 'riscv64'])), ignore, { platforms: wanted }),
      {
        code: 'notFound',
        message:
          /^the archive does not provide the specified platform \(linux\/\S+\): it has linux\/arm64, linux\/riscv64$/,
      },
    );
  }
  await assert.rejects(images.save(['multi:1'], { platforms: [{ os: 'linux', architecture: 'arm64' }] }), {
    code: 'notFound',
    message:
      'image with reference multi:1 was found but its platform (linux/riscv64) does not match the specified platform (linux/arm64)',
  });
  assert.ok((await buffer(await images.save(['multi:1'], { platforms }))).length > 0);
});
