import assert from 'node:assert/strict';
import test from 'node:test';
import { build, chrootRunner, fails, openBench } from '../../test/support/build-bench.ts';
import type { ImageId } from '../oci/index.ts';
import type { PruneCacheOptions } from './index.ts';

const pruning = (options: Partial<PruneCacheOptions> = {}): PruneCacheOptions => ({
  all: false,
  filters: new Map(),
  keepBytes: 0,
  ...options,
});

test('prune() forgets records', async (t) => {
  const bench = await openBench(t);
  const files = { Dockerfile: 'FROM busybox\nENV A=1\n' };
  await build(bench, files);
  assert.deepEqual((await bench.builder.prune(pruning())).CachesDeleted, []);
  assert.equal((await bench.builder.prune(pruning({ all: true }))).CachesDeleted.length, 1);
  assert.doesNotMatch((await build(bench, files)).text, /Using cache/);
});

test('a record goes with its image, whoever removes it', async (t) => {
  const bench = await openBench(t);
  const described = () => bench.cache.list().map(({ description }) => description);
  const steps = 'FROM busybox\nENV A=1\n';
  const { id } = await build(bench, { Dockerfile: `${steps}LABEL a=b\n` });
  assert.equal(described().length, 2);
  await build(bench, { Dockerfile: steps }, { tags: ['kept'] });
  await bench.images.remove(id, { force: false, noPrune: false });
  assert.deepEqual(described(), ['/bin/sh -c #(nop)  ENV A=1']);
  assert.match((await build(bench, { Dockerfile: steps })).text, /Using cache/);
  await bench.images.remove('kept', { force: false, noPrune: false });
  assert.deepEqual(described(), []);
});

test('usage() and the images add up, and prune() frees what only the cache keeps', async (t) => {
  const bench = await openBench(t);
  const { images, builder } = bench;
  const listed = () => images.list({ all: false, sharedSize: true, filters: new Map() });
  const files = {
    Dockerfile:
      'FROM busybox AS make\nCOPY big /big\nENV A=1\nFROM busybox\nCOPY --from=make /etc/passwd /\n',
    big: 'x'.repeat(1000),
  };
  const { id } = await build(bench, files);
  assert.ok(listed().some((image) => image.Id === id));
  assert.equal(listed().length, 2, 'the stage is no image that is listed');
  const records = builder.usage();
  assert.deepEqual(
    records.map(({ size, shared }) => [size, shared]).sort(),
    [
      [0, false],
      [1000, false],
      [records.at(-1)?.size, true],
    ].sort(),
  );
  const cacheBytes = records.reduce((sum, { size, shared }) => sum + (shared ? 0 : size), 0);
  const all = bench.snapshots.list().committed.reduce((sum, { usage }) => sum + usage.bytes, 0);
  assert.equal(images.space().layersSize + cacheBytes, all);
  const unique = listed().reduce((sum, { Size, SharedSize }) => sum + Size - SharedSize, 0);
  const shared = Math.max(...listed().map(({ SharedSize }) => SharedSize));
  assert.equal(unique + shared, images.space().layersSize);

  const kept = await builder.prune(pruning({ keepBytes: 1 << 20 }));
  assert.deepEqual(kept.CachesDeleted, []);
  const pruned = await builder.prune(pruning());
  assert.equal(pruned.CachesDeleted.length, 2);
  assert.ok(pruned.SpaceReclaimed >= 1000, String(pruned.SpaceReclaimed));
  assert.equal(builder.usage().filter((record) => !record.shared).length, 0);

  await fails(bench, { Dockerfile: 'FROM busybox\nRUN echo 1 >/one\nRUN exit 3\n' });
  await images.remove(id, { force: false, noPrune: false });
  const removed = await images.remove('busybox', { force: false, noPrune: false });
  assert.equal(
    removed.filter((item) => 'Deleted' in item).length,
    4,
    'an image and a step, with a layer each',
  );
  assert.deepEqual(images.list({ all: true, sharedSize: false, filters: new Map() }), []);
  for (const filters of [new Map([['private', ['maybe']]]), new Map([['until', ['soon']]])]) {
    await assert.rejects(builder.prune(pruning({ filters })), { code: 'invalidArgument' });
  }
});

test('an image can be removed when a step on it lost its record to a later one', async (t) => {
  const bench = await openBench(t);
  await fails(bench, { Dockerfile: 'FROM busybox\nRUN echo 1 >/one\nRUN echo 2 >/two\nRUN exit 3\n' });
  await fails(bench, { Dockerfile: 'FROM busybox\nRUN echo 1 >/one\nRUN exit 4\n' }, { noCache: true });
  await bench.images.remove('busybox', { force: false, noPrune: false });
  assert.deepEqual(bench.images.list({ all: true, sharedSize: false, filters: new Map() }), []);
});

test('what a running build stands on is not removed under it: bases, sources and steps', async (t) => {
  const bench = await openBench(t);
  const { images } = bench;
  const chroot = chrootRunner(bench.snapshots);
  const everything = {
    all: true,
    filters: new Map(),
    goneContainers: new Set<string>(),
    goneImages: new Set<ImageId>(),
  };
  await build(bench, { Dockerfile: 'FROM busybox\nRUN echo 1 >/1\n' }, { tags: ['source'] });
  const ids = ['busybox', 'source'].map((name) => images.resolve(name).id);
  const tried: string[] = [];
  const tryAll = async () => {
    await images.prune(new Map([['dangling', ['false']]]));
    tried.push(...images.prunable(everything).map(({ id }) => id));
    for (const name of ['busybox', 'source', ...ids]) {
      for (const force of name.startsWith('sha256:') ? [false, true] : [false]) {
        await assert.rejects(images.remove(name, { force, noPrune: false }), {
          code: 'conflict',
          message: /running build|dependent child/,
        });
      }
    }
  };
  const builder = bench.withSteps({
    run: async (step, signal) => {
      await tryAll();
      return chroot.run(step, signal);
    },
  });
  const Dockerfile = 'FROM busybox\nCOPY --from=source /1 /1\nRUN echo 2 >/2\nRUN echo 3 >/3\n';
  await build({ ...bench, builder }, { Dockerfile });
  assert.deepEqual(tried, []);
  await images.remove('source', { force: false, noPrune: false });
});
