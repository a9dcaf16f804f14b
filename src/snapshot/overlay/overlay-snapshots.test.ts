import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { testSnapshotter } from '../../../test/conformance/snapshotter.ts';
import { readMounts } from '../../lib/mount-info.ts';
import { mount, unmount } from '../../lib/native.ts';
import { type Metadata, openMetadata } from '../../metadata/index.ts';
import { type ChainId, digestOf } from '../../oci/index.ts';
import { openSnapshots, type Snapshots, type Snapshotter } from '../index.ts';

interface Opened extends Snapshots {
  readonly root: string;
  readonly metadata: Metadata;
}

/** A root with everything mounted under it gone after the test. */
function rootOf(t: TestContext, name = ''): string {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-snapshots-'));
  t.after(() => {
    for (const { path } of readMounts().reverse()) if (path.startsWith(`${directory}/`)) unmount(path);
    rmSync(directory, { recursive: true, force: true });
  });
  const root = join(directory, name);
  mkdirSync(root, { recursive: true });
  return root;
}

async function open(t: TestContext, root = rootOf(t)): Promise<Opened> {
  const metadata = openMetadata(join(root, 'gantry.db'));
  const opened = await openSnapshots({ root, metadata });
  t.after(async () => {
    if (!metadata.db.isOpen) return;
    for (const key of opened.snapshots.list().active) await opened.snapshots.unmount(key);
    await opened[Symbol.asyncDispose]();
    await metadata[Symbol.asyncDispose]();
  });
  return { ...opened, root, metadata };
}

/** Ends it as the daemon ends: what is mounted stays. */
async function close(opened: Opened): Promise<void> {
  await opened[Symbol.asyncDispose]();
  await opened.metadata[Symbol.asyncDispose]();
}

async function layer(snapshots: Snapshotter, text: string, parent?: ChainId): Promise<ChainId> {
  const name = digestOf(text);
  await snapshots.prepare(text, parent);
  writeFileSync(join(await snapshots.mount(text), text), text);
  await snapshots.commit(text, name);
  return name;
}

testSnapshotter('OverlaySnapshots', async (t) => (await open(t)).snapshots);

for (const name of ['', 'a-root-with-a-rather-long-path/that-takes-sixty-characters-or', 'od,d:na\\me']) {
  test(`mount() stacks 128 layers under a root named ${JSON.stringify(name)}`, async (t) => {
    const { snapshots } = await open(t, rootOf(t, name));
    let parent: ChainId | undefined;
    for (let count = 0; count < 128; count += 1) {
      const made = digestOf(`${count}`);
      await snapshots.prepare('next', parent);
      if (count % 32 === 0) writeFileSync(join(await snapshots.mount('next'), `file${count}`), '');
      await snapshots.commit('next', made);
      parent = made;
    }
    await snapshots.prepare('c', parent, { initLayer: true });
    const files = readdirSync(await snapshots.mount('c')).filter((file) => file.startsWith('file'));
    assert.deepEqual(files.sort(), ['file0', 'file32', 'file64', 'file96']);
    await snapshots.unmount('c');
  });
}

test('commit() of two trees to one name at the same time makes one layer', async (t) => {
  const { snapshots, root } = await open(t);
  const name = digestOf('same');
  const keys = ['one', 'two'];
  for (const key of keys) {
    await snapshots.prepare(key);
    const mounted = await snapshots.mount(key);
    // So many that adding them up lets the other run.
    for (let count = 0; count < 600; count += 1) writeFileSync(join(mounted, `file${count}`), '');
  }
  await Promise.all(keys.map((key) => snapshots.commit(key, name)));
  assert.deepEqual(snapshots.list(), {
    active: [],
    committed: [{ name, usage: { bytes: 0, inodes: 601 } }],
  });
  assert.equal(readdirSync(join(root, 'snapshots/l')).length, 1);
});

test('openSnapshots() says what to do where no overlay can be written, and leaves nothing mounted', async (t) => {
  const root = rootOf(t);
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => {
    mkdirSync(join(root, name));
    return join(root, name);
  }) as [string, string, string, string];
  const data = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  mount({ source: 'overlay', target: merged, type: 'overlay', data });
  const metadata = openMetadata(join(root, 'gantry.db'));
  t.after(() => metadata[Symbol.asyncDispose]());
  await assert.rejects(openSnapshots({ root: merged, metadata }), {
    code: 'unavailable',
    message: `Cannot mount an overlay: the file system of ${merged} cannot hold its writable layers: choose a --root on another, such as ext4`,
  });
  assert.deepEqual(readdirSync(join(merged, 'snapshots')).sort(), ['empty', 'init', 'l', 'trash', 'views']);
  assert.ok(!readMounts().some(({ path }) => path.startsWith(`${merged}/`)));
});

test('openSnapshots() leaves nothing of the overlay it tried', async (t) => {
  const { root } = await open(t);
  assert.deepEqual(readdirSync(join(root, 'snapshots')).sort(), ['empty', 'init', 'l', 'trash', 'views']);
});

test('openSnapshots() finds a mounted snapshot again and drops stale views', async (t) => {
  const first = await open(t);
  const base = await layer(first.snapshots, 'base');
  await first.snapshots.prepare('c', base);
  const mounted = await first.snapshots.mount('c');
  writeFileSync(join(mounted, 'live'), 'x');
  const view = await first.snapshots.view(base);
  await close(first);
  const second = await open(t, first.root);
  assert.equal(second.snapshots.mountedAt('c'), mounted);
  assert.equal(await second.snapshots.mount('c'), mounted);
  assert.equal(readFileSync(join(mounted, 'live'), 'utf8'), 'x');
  assert.ok(!existsSync(view.root));
  await second.snapshots.remove('c');
  assert.ok(!readMounts().some(({ path }) => path.startsWith(`${second.root}/snapshots/`)));
});

test('mount() never syncs a volatile tree, which can be mounted again either way', async (t) => {
  const { snapshots } = await open(t);
  await snapshots.prepare('c');
  const isVolatile = (root: string) => {
    const line = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((one) => one.includes(` ${root} `));
    return line !== undefined && /\bvolatile\b/.test(line);
  };
  for (const volatile of [true, true, false]) {
    const root = await snapshots.mount('c', { volatile });
    assert.equal(isVolatile(root), volatile);
    writeFileSync(join(root, 'file'), 'x', { flag: 'a' });
    await snapshots.unmount('c');
  }
  assert.equal(readFileSync(join(await snapshots.mount('c'), 'file'), 'utf8'), 'xxx');
});

test('openSnapshots() drops trees without a row and undoes an interrupted commit', async (t) => {
  const first = await open(t);
  const base = await layer(first.snapshots, 'base');
  await first.snapshots.prepare('c', base);
  const { UpperDir } = first.snapshots.paths('c');
  writeFileSync(join(UpperDir, 'written'), 'w');
  await close(first);
  const directory = join(UpperDir, '..');
  renameSync(UpperDir, join(directory, 'fs'));
  mkdirSync(join(first.root, 'snapshots/deadbeef/fs'), { recursive: true });
  symlinkSync('../deadbeef/fs', join(first.root, 'snapshots/l/deadbeef'));
  mkdirSync(join(first.root, 'snapshots/init/sha256-gone/fs'), { recursive: true });
  writeFileSync(join(first.root, 'snapshots/trash/left'), '');
  const second = await open(t, first.root);
  assert.equal(readFileSync(join(await second.snapshots.mount('c'), 'written'), 'utf8'), 'w');
  await second.snapshots.unmount('c');
  await close(second);
  assert.deepEqual(readdirSync(join(first.root, 'snapshots/trash')), []);
  assert.deepEqual(readdirSync(join(first.root, 'snapshots/init')), []);
  assert.equal(readdirSync(join(first.root, 'snapshots/l')).length, 1);
  assert.ok(!existsSync(join(first.root, 'snapshots/deadbeef')));
});

test('openSnapshots() makes the directories of an active snapshot again if a power loss took them', async (t) => {
  const first = await open(t);
  const base = await layer(first.snapshots, 'base');
  await first.snapshots.prepare('c', base);
  await first.snapshots.prepare('d', base);
  rmSync(join(first.snapshots.paths('c').UpperDir, '..'), { recursive: true });
  chmodSync(first.snapshots.paths('d').UpperDir, 0o700);
  rmSync(first.snapshots.paths('d').WorkDir, { recursive: true });
  await close(first);
  const { snapshots } = await open(t, first.root);
  for (const key of ['c', 'd']) assert.deepEqual(readdirSync(await snapshots.mount(key)), ['base']);
  assert.equal(statSync(snapshots.paths('d').MergedDir).mode & 0o777, 0o700);
});

test('prepare() and remove() at the same time leave no directory behind', async (t) => {
  const opened = await open(t);
  const { snapshots, root } = opened;
  const base = await layer(snapshots, 'base');
  const keys = Array.from({ length: 20 }, (_, index) => `c${index}`);
  await Promise.all(
    keys.map(async (key) => {
      await snapshots.prepare(key, base, { initLayer: true });
      await snapshots.mount(key);
      await snapshots.remove(key);
    }),
  );
  await snapshots.remove(base);
  await close(opened);
  assert.deepEqual(readdirSync(join(root, 'snapshots')).sort(), ['empty', 'init', 'l', 'trash', 'views']);
  assert.deepEqual(readdirSync(join(root, 'snapshots/init')), []);
});

test('openSnapshots() drops a layer that a power loss may have torn, and keeps the synced ones', async (t) => {
  const first = await open(t);
  const base = await layer(first.snapshots, 'base');
  const used = await layer(first.snapshots, 'used', base);
  await first.snapshots.prepare('c', used);
  const torn = await layer(first.snapshots, 'torn', base);
  const tornTop = await layer(first.snapshots, 'top', torn);
  const unsynced = () =>
    first.metadata.db.prepare('SELECT count(*) AS n FROM snapshots WHERE unsynced_boot IS NOT NULL');
  for (let waited = 0; unsynced().get()?.['n'] !== 0 && waited < 10_000; waited += 20) await setTimeout(20);
  assert.equal(unsynced().get()?.['n'], 0);
  await close(first);
  {
    await using metadata = openMetadata(join(first.root, 'gantry.db'));
    const lose = metadata.db.prepare("UPDATE snapshots SET unsynced_boot = 'an earlier boot' WHERE name = ?");
    metadata.transact(() => {
      for (const name of [used, torn, tornTop]) lose.run(name);
    });
  }
  const { snapshots, root } = await open(t, first.root);
  assert.deepEqual(
    snapshots
      .list()
      .committed.map(({ name }) => name)
      .sort(),
    [base, used].sort(),
  );
  assert.equal(readdirSync(join(root, 'snapshots/l')).length, 2);
  // A container stands on it, so it stays, but nobody may see it before it is unpacked again.
  assert.equal(snapshots.stat(used), undefined);
  await assert.rejects(snapshots.mount('c'), /lost when the machine lost power/);
  const { UpperDir } = snapshots.paths('c');
  assert.equal(await layer(snapshots, 'used', base), used);
  assert.equal(snapshots.stat(used)?.name, used);
  assert.deepEqual(readdirSync(await snapshots.mount('c')).sort(), ['base', 'used']);
  assert.equal(snapshots.paths('c').UpperDir, UpperDir);
  assert.equal(readdirSync(join(root, 'snapshots/l')).length, 2);
});
