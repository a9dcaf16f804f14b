import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { digestOf } from '../../src/oci/index.ts';
import type { Snapshotter } from '../../src/snapshot/index.ts';

/** Opens an empty snapshotter that goes with the test. */
export type OpenSnapshotter = (t: TestContext) => Promise<Snapshotter>;

/** What every `Snapshotter` promises. */
export function testSnapshotter(name: string, open: OpenSnapshotter): void {
  const [base, middle, top] = ['base', 'middle', 'top'].map((text) => digestOf(text)) as [
    ReturnType<typeof digestOf>,
    ReturnType<typeof digestOf>,
    ReturnType<typeof digestOf>,
  ];

  /** Commits a layer that writes `files` (a directory for `undefined`). */
  async function layer(
    snapshots: Snapshotter,
    name: typeof base,
    parent: typeof base | undefined,
    change: (root: string) => void,
  ): Promise<void> {
    await snapshots.prepare(`making ${name}`, parent);
    change(await snapshots.mount(`making ${name}`));
    await snapshots.commit(`making ${name}`, name);
  }

  test(`${name}: a snapshot shows its parents and keeps its writes to itself`, async (t) => {
    const snapshots = await open(t);
    await layer(snapshots, base, undefined, (root) => {
      writeFileSync(join(root, 'a'), 'base');
      mkdirSync(join(root, 'dir'));
      writeFileSync(join(root, 'dir/gone'), '');
    });
    await layer(snapshots, middle, base, (root) => {
      rmSync(join(root, 'dir'), { recursive: true });
      mkdirSync(join(root, 'dir'));
      writeFileSync(join(root, 'b'), 'middle');
    });
    await snapshots.prepare('one', middle);
    await snapshots.prepare('two', middle);
    const [one, two] = [await snapshots.mount('one'), await snapshots.mount('two')];
    assert.equal(await snapshots.mount('one'), one);
    assert.equal(snapshots.mountedAt('one'), one);
    writeFileSync(join(one, 'a'), 'changed');
    rmSync(join(one, 'b'));
    assert.equal(readFileSync(join(two, 'a'), 'utf8'), 'base');
    assert.deepEqual(readdirSync(two).sort(), ['a', 'b', 'dir']);
    assert.deepEqual(readdirSync(join(two, 'dir')), []);
    await snapshots.unmount('one');
    await snapshots.unmount('one');
    assert.equal(snapshots.mountedAt('one'), undefined);
    assert.equal(readFileSync(join(await snapshots.mount('one'), 'a'), 'utf8'), 'changed');
    await using view = await snapshots.view(base);
    assert.deepEqual(readdirSync(join(view.root, 'dir')), ['gone']);
    assert.throws(() => {
      writeFileSync(join(view.root, 'x'), '');
    });
    await using single = await snapshots.view(middle);
    assert.deepEqual(readdirSync(single.root).sort(), ['a', 'b', 'dir']);
  });

  test(`${name}: a merged root has the mode and owner of its parent's`, async (t) => {
    const snapshots = await open(t);
    await layer(snapshots, base, undefined, (root) => {
      chmodSync(root, 0o1777);
      chownSync(root, 5, 6);
    });
    await snapshots.prepare('c', base, { initLayer: true });
    const { mode, uid, gid } = statSync(await snapshots.mount('c'));
    assert.deepEqual([mode & 0o7777, uid, gid], [0o1777, 5, 6]);
  });

  test(`${name}: names are checked`, async (t) => {
    const snapshots = await open(t);
    await assert.rejects(snapshots.prepare('c', base), { code: 'notFound' });
    await assert.rejects(snapshots.mount('c'), { code: 'notFound' });
    await assert.rejects(snapshots.view(base), { code: 'notFound' });
    await snapshots.prepare('c');
    await assert.rejects(snapshots.prepare('c'), { code: 'conflict' });
    assert.deepEqual(snapshots.list().active, ['c']);
    assert.equal(snapshots.stat(base), undefined);
  });

  test(`${name}: commit names the layer, adds it up, and drops a second of the same name`, async (t) => {
    const snapshots = await open(t);
    const fill = (root: string) => {
      writeFileSync(join(root, 'file'), 'x'.repeat(1000));
      mkdirSync(join(root, 'd'));
    };
    await layer(snapshots, base, undefined, fill);
    await layer(snapshots, base, undefined, fill);
    assert.deepEqual(snapshots.stat(base), { name: base, usage: { bytes: 1000, inodes: 3 } });
    await layer(snapshots, middle, base, () => undefined);
    assert.equal(snapshots.stat(middle)?.parent, base);
    assert.deepEqual(snapshots.list().active, []);
    assert.equal(snapshots.list().committed.length, 2);
  });

  test(`${name}: remove takes children first and repeats`, async (t) => {
    const snapshots = await open(t);
    await layer(snapshots, base, undefined, () => undefined);
    await snapshots.prepare('c', base, { initLayer: true });
    const root = await snapshots.mount('c');
    const { UpperDir } = snapshots.paths('c');
    await assert.rejects(snapshots.remove(base), { code: 'conflict' });
    await snapshots.remove('c');
    assert.ok(!existsSync(root));
    assert.ok(!existsSync(UpperDir));
    await snapshots.remove(base);
    await snapshots.remove(base);
    assert.deepEqual(snapshots.list(), { active: [], committed: [] });
  });

  test(`${name}: the init layer is there but counts as no change`, async (t) => {
    const snapshots = await open(t);
    await layer(snapshots, base, undefined, (root) => {
      mkdirSync(join(root, 'etc'));
      writeFileSync(join(root, 'etc/hosts'), "the image's own");
    });
    for (const parent of [base, undefined]) {
      const key = `c ${parent ?? ''}`;
      await snapshots.prepare(key, parent, { initLayer: true });
      const root = await snapshots.mount(key);
      assert.equal(readFileSync(join(root, 'etc/hosts'), 'utf8'), '');
      assert.ok(statSync(join(root, 'dev/shm')).isDirectory());
      assert.ok(existsSync(join(root, '.dockerenv')));
      assert.deepEqual(await snapshots.changes(key), []);
    }
  });

  test(`${name}: changes are listed as docker diff lists them`, async (t) => {
    const snapshots = await open(t);
    await layer(snapshots, base, undefined, (root) => {
      for (const path of ['kept/deep', 'again', 'gone/with', 'mode'])
        mkdirSync(join(root, path), { recursive: true });
      for (const path of ['kept/deep/file', 'again/old', 'again/same', 'gone/file', 'turned', 'kept/other']) {
        writeFileSync(join(root, path), path);
      }
    });
    await layer(snapshots, top, base, () => undefined);
    await snapshots.prepare('c', top, { initLayer: true });
    const root = await snapshots.mount('c');
    writeFileSync(join(root, 'kept/deep/file'), 'changed');
    rmSync(join(root, 'again'), { recursive: true });
    mkdirSync(join(root, 'again'));
    writeFileSync(join(root, 'again/same'), '');
    writeFileSync(join(root, 'again/new'), '');
    rmSync(join(root, 'gone'), { recursive: true });
    rmSync(join(root, 'turned'));
    mkdirSync(join(root, 'turned'));
    writeFileSync(join(root, 'turned/child'), '');
    mkdirSync(join(root, 'fresh/sub'), { recursive: true });
    chmodSync(join(root, 'mode'), 0o700);
    writeFileSync(join(root, 'brief'), '');
    rmSync(join(root, 'brief'));
    const lines = (await snapshots.changes('c')).map(({ Path, Kind }) => `${'CAD'[Kind] ?? ''} ${Path}`);
    assert.deepEqual(lines, [
      'C /again',
      'A /again/new',
      'D /again/old',
      'C /again/same',
      'A /fresh',
      'A /fresh/sub',
      'D /gone',
      'C /kept',
      'C /kept/deep',
      'C /kept/deep/file',
      'C /mode',
      'C /turned',
      'A /turned/child',
    ]);
    const { bytes, inodes } = await snapshots.usage('c');
    assert.equal(bytes, 'changed'.length);
    assert.ok(inodes > 5);
  });

  test(`${name}: compare() tells what differs between two trees, but for times`, async (t) => {
    const snapshots = await open(t);
    await layer(snapshots, base, undefined, (root) => {
      for (const directory of ['same', 'gone/deep', 'turned'])
        mkdirSync(join(root, directory), { recursive: true });
      for (const file of ['same/a', 'gone/deep/b', 'turned/c', 'grown', 'touched']) {
        writeFileSync(join(root, file), file);
      }
    });
    await layer(snapshots, top, base, (root) => {
      rmSync(join(root, 'gone'), { recursive: true });
      rmSync(join(root, 'turned'), { recursive: true });
      writeFileSync(join(root, 'turned'), 'now a file');
      writeFileSync(join(root, 'grown'), 'grown a lot');
      utimesSync(join(root, 'touched'), 1, 1);
      mkdirSync(join(root, 'new/sub'), { recursive: true });
      writeFileSync(join(root, 'new/sub/d'), 'd');
    });
    await using before = await snapshots.view(base);
    await using after = await snapshots.view(top);
    const expected = [
      { kind: 'removed', path: '/gone', size: 0, before: 'gone/deep/b'.length },
      { kind: 'changed', path: '/grown', size: 11, before: 5 },
      { kind: 'added', path: '/new', size: 0, before: 0 },
      { kind: 'added', path: '/new/sub', size: 0, before: 0 },
      { kind: 'added', path: '/new/sub/d', size: 1, before: 0 },
      { kind: 'changed', path: '/turned', size: 10, before: 'turned/c'.length },
    ];
    assert.deepEqual(await snapshots.compare({ before: before.root, after: after.root }), expected);
    assert.deepEqual(await snapshots.compare({ before: after.root, after: after.root }), []);
    const all = await snapshots.compare({ before: undefined, after: before.root });
    assert.deepEqual(
      all.map(({ kind, path }) => `${kind} ${path}`),
      ['gone', 'gone/deep', 'gone/deep/b', 'grown', 'same', 'same/a', 'touched', 'turned', 'turned/c'].map(
        (path) => `added /${path}`,
      ),
    );
    await assert.rejects(
      snapshots.compare({ before: before.root, after: after.root, signal: AbortSignal.abort() }),
      { name: 'AbortError' },
    );
  });

  test(`${name}: layerChanges() tells what a layer carries`, async (t) => {
    const snapshots = await open(t);
    await layer(snapshots, base, undefined, (root) => {
      writeFileSync(join(root, 'kept'), 'kept');
      writeFileSync(join(root, 'gone'), 'gone');
    });
    await layer(snapshots, middle, base, (root) => {
      rmSync(join(root, 'gone'));
      writeFileSync(join(root, 'new'), 'new');
      chmodSync(join(root, 'kept'), 0o600);
    });
    const lines = async (layerName: typeof base) =>
      (await snapshots.layerChanges(layerName)).map(({ kind, path, size, before }) => [
        kind,
        path,
        size,
        before,
      ]);
    assert.deepEqual(await lines(base), [
      ['added', '/gone', 4, 0],
      ['added', '/kept', 4, 0],
    ]);
    assert.deepEqual(await lines(middle), [
      ['removed', '/gone', 0, 4],
      ['changed', '/kept', 4, 4],
      ['added', '/new', 3, 0],
    ]);
    await assert.rejects(snapshots.layerChanges(top), { code: 'notFound' });
  });

  test(`${name}: what belongs to a snapshot is no stray`, async (t) => {
    const snapshots = await open(t);
    await layer(snapshots, base, undefined, (root) => {
      writeFileSync(join(root, 'a'), 'a');
    });
    await snapshots.prepare('c', base, { initLayer: true });
    await snapshots.mount('c');
    await using view = await snapshots.view(base);
    assert.deepEqual(snapshots.strays({ remove: true }), []);
    assert.equal(readFileSync(join(view.root, 'a'), 'utf8'), 'a');
    assert.deepEqual(snapshots.list().active, ['c']);
    await assert.rejects(snapshots.remove(base), { code: 'conflict' });
  });
}
