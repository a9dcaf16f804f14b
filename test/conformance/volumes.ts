import assert from 'node:assert/strict';
import { lstat, mkdir, opendir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { EngineError, isCode } from '../../src/errors/index.ts';
import type { Volumes } from '../../src/volume/index.ts';

export interface VolumesUnderTest {
  readonly volumes: Volumes;
  /** A directory for the test's own files. */
  readonly scratch: string;
}

const at = { destination: '/data', writable: true, propagation: '' };
const none = new Map<string, readonly string[]>();

/** What every implementation of `Volumes` promises. */
export function volumesConformance(make: (t: TestContext) => Promise<VolumesUnderTest>): void {
  test('create() gives the volume there for a name used before', async (t) => {
    const { volumes } = await make(t);
    const first = await volumes.create({ Name: 'data', Labels: { a: '1' } });
    const again = await volumes.create({ Name: 'data', Labels: { a: '2' } });
    assert.deepEqual(again, first);
    assert.deepEqual(first.Labels, { a: '1' });
    assert.equal(volumes.list(none).Volumes.length, 1);
  });

  test('create() without a name gives an anonymous volume of 64 hex digits', async (t) => {
    const { volumes } = await make(t);
    assert.match((await volumes.create({})).Name, /^[0-9a-f]{64}$/);
  });

  test("create() refuses a bad name with Docker's text", async (t) => {
    const { volumes } = await make(t);
    for (const Name of ['../x', 'a', '.hidden', 'a/b']) {
      await assert.rejects(volumes.create({ Name }), (error: Error) => {
        assert.ok(isCode(error, 'invalidArgument'));
        assert.match(error.message, /includes invalid characters for a local volume name/);
        return true;
      });
    }
    assert.deepEqual(volumes.list(none).Volumes, []);
  });

  test('inspect() and remove() of an unknown volume are notFound, forced remove is not', async (t) => {
    const { volumes } = await make(t);
    const expected = new EngineError('notFound', 'get nope: no such volume');
    assert.throws(() => volumes.inspect('nope'), expected);
    await assert.rejects(volumes.remove('nope', { force: false }), expected);
    await volumes.remove('nope', { force: true });
  });

  test('remove() refuses a volume that a container uses', async (t) => {
    const { volumes } = await make(t);
    const { Mountpoint } = await volumes.create({ Name: 'data' });
    volumes.attach('data', 'c1');
    await assert.rejects(
      volumes.remove('data', { force: true }),
      new EngineError('conflict', 'remove data: volume is in use - [c1]'),
    );
    volumes.detach('c1');
    await volumes.remove('data', { force: false });
    await assert.rejects(lstat(Mountpoint), { code: 'ENOENT' });
  });

  test('create() for a container is undone by the next start if the container never came to be', async (t) => {
    const { volumes } = await make(t);
    await volumes.create({ user: 'c1' });
    const kept = (await volumes.create({ user: 'c2' })).Name;
    await volumes.create({ Name: 'named', user: 'c1' });
    await volumes.recover(new Map([['c2', [kept]]]));
    assert.deepEqual(
      volumes.list(none).Volumes.map(({ Name }) => Name),
      [kept, 'named'].sort(),
    );
    await volumes.remove('named', { force: false });
  });

  test('recover() and setUses() leave a container the volumes given, and delete none of the others', async (t) => {
    const { volumes } = await make(t);
    const left = (await volumes.create({ user: 'c1' })).Name;
    await volumes.create({ Name: 'kept', user: 'c1' });
    await volumes.create({ Name: 'new' });
    await volumes.recover(new Map([['c1', ['kept']]]));
    await volumes.remove(left, { force: false });
    await assert.rejects(volumes.remove('kept', { force: false }), /in use - \[c1\]/);
    volumes.setUses('c1', ['new']);
    await volumes.remove('kept', { force: false });
    await assert.rejects(volumes.remove('new', { force: false }), /in use - \[c1\]/);
  });

  test('create() makes a container a user of a volume that is there', async (t) => {
    const { volumes } = await make(t);
    await volumes.create({ Name: 'data' });
    await volumes.create({ Name: 'data', user: 'c1' });
    await assert.rejects(volumes.remove('data', { force: true }), /in use - \[c1\]/);
  });

  test('removeAnonymous() takes the anonymous volumes nobody else uses', async (t) => {
    const { volumes } = await make(t);
    await volumes.create({ user: 'c1' });
    const shared = (await volumes.create({ user: 'c1' })).Name;
    await volumes.create({ Name: 'named', user: 'c1' });
    volumes.attach(shared, 'c2');
    await volumes.removeAnonymous('c1');
    assert.deepEqual(
      volumes.list(none).Volumes.map(({ Name }) => Name),
      ['named', shared].sort(),
    );
  });

  test('fill() fills an empty volume, with owner and mode, and leaves one that holds something', async (t) => {
    const { volumes, scratch } = await make(t);
    const image = join(scratch, 'image');
    await mkdir(join(image, 'sub'), { recursive: true });
    await writeFile(join(image, 'sub/file'), 'from the image', { mode: 0o640 });
    await volumes.create({ Name: 'data' });
    await volumes.fill('data', image, { temporary: false });
    const path = await volumes.mount('data', 'c1', at);
    assert.equal(await readFile(join(path, 'sub/file'), 'utf8'), 'from the image');
    assert.equal((await lstat(join(path, 'sub/file'))).mode & 0o777, 0o640);
    await writeFile(join(image, 'later'), 'x');
    await volumes.fill('data', image, { temporary: false });
    await assert.rejects(lstat(join(path, 'later')), { code: 'ENOENT' });
    await rm(join(path, 'sub'), { recursive: true });
    await volumes.fill('data', image, { temporary: false });
    assert.deepEqual((await readdir(path)).sort(), ['later', 'sub']);
  });

  test('fill() from what is no directory changes nothing', async (t) => {
    const { volumes, scratch } = await make(t);
    const { Mountpoint } = await volumes.create({ Name: 'data' });
    await writeFile(join(scratch, 'file'), 'x');
    for (const source of ['file', 'nothing'])
      await volumes.fill('data', join(scratch, source), { temporary: false });
    assert.deepEqual(await readdir(Mountpoint), []);
  });

  test('fill() of a volume that others have mounted is seen by them', async (t) => {
    const { volumes, scratch } = await make(t);
    const image = join(scratch, 'image');
    await mkdir(image);
    await writeFile(join(image, 'file'), 'x');
    await volumes.create({ Name: 'data', user: 'c1' });
    const mounted = await opendir(await volumes.mount('data', 'c1', at));
    volumes.attach('data', 'c2');
    await volumes.fill('data', image, { temporary: false });
    assert.equal((await mounted.read())?.name, 'file');
    await mounted.close();
  });

  test('fill() of a part of a volume fills that, and passes over one that is not there', async (t) => {
    const { volumes, scratch } = await make(t);
    const image = join(scratch, 'image');
    await mkdir(image);
    await writeFile(join(image, 'file'), 'x');
    const { Mountpoint } = await volumes.create({ Name: 'data' });
    await volumes.fill('data', image, { subpath: 'sub', temporary: false });
    assert.deepEqual(await readdir(Mountpoint), []);
    await mkdir(join(Mountpoint, 'sub'));
    await volumes.fill('data', image, { subpath: 'sub', temporary: false });
    assert.deepEqual(await readdir(join(Mountpoint, 'sub')), ['file']);
  });

  test('openPart() is the same file or directory whatever its name comes to mean', async (t) => {
    const { volumes, scratch } = await make(t);
    await volumes.create({ Name: 'data' });
    const path = await volumes.mount('data', 'c1', at);
    await mkdir(join(path, 'sub'));
    await writeFile(join(path, 'sub/file'), 'mine');
    {
      using part = await volumes.openPart('data', 'sub');
      using file = await volumes.openPart('data', 'sub/file');
      await rename(join(path, 'sub'), join(path, 'old'));
      await symlink(scratch, join(path, 'sub'));
      assert.deepEqual(await readdir(part.path), ['file']);
      assert.equal(await readFile(file.path, 'utf8'), 'mine');
    }
    assert.deepEqual(await readdir(join(path, 'old')), ['file']);
    for (const subpath of ['../..', 'sub', 'old/../../..'])
      await assert.rejects(volumes.openPart('data', subpath), /not within the volume/, subpath);
    await assert.rejects(volumes.openPart('data', 'nope'), /cannot access path/);
    await symlink('old', join(path, 'current'));
    using part = await volumes.openPart('data', 'current');
    assert.deepEqual(await readdir(part.path), ['file']);
  });

  test('list() filters by name, label, driver and use', async (t) => {
    const { volumes } = await make(t);
    await volumes.create({ Name: 'one', Labels: { tier: 'db' } });
    await volumes.create({ Name: 'two' });
    volumes.attach('two', 'c1');
    const names = (key: string, ...values: string[]) =>
      volumes.list(new Map([[key, values]])).Volumes.map(({ Name }) => Name);
    assert.deepEqual(names('name', 'on'), ['one']);
    assert.deepEqual(names('name', '^one$'), ['one']);
    assert.deepEqual(names('name', '^on$'), []);
    assert.deepEqual(names('name', 'one|two'), ['one', 'two']);
    assert.deepEqual(names('name', '['), []);
    assert.deepEqual(names('label', 'tier=db'), ['one']);
    assert.deepEqual(names('label', 'tier=web'), []);
    assert.deepEqual(names('driver', 'local'), ['one', 'two']);
    assert.deepEqual(names('dangling', 'true'), ['one']);
    assert.deepEqual(names('dangling', 'false'), ['two']);
    assert.throws(() => names('dangling', 'maybe'), /invalid filter 'dangling=\[maybe\]'/);
  });

  test('prune() takes unused anonymous volumes, with all the named ones too', async (t) => {
    const { volumes } = await make(t);
    await volumes.create({ Name: 'named' });
    await volumes.create({ Name: 'kept', Labels: { keep: '' } });
    const anonymous = await volumes.create({});
    const used = await volumes.create({});
    volumes.attach(used.Name, 'c1');
    await writeFile(join(anonymous.Mountpoint, 'file'), 'x'.repeat(10_000));
    const pruned = volumes.prune(none);
    const refusal = { code: 'conflict', message: 'a prune operation is already running' };
    await assert.rejects(volumes.prune(none), refusal);
    const first = await pruned;
    assert.deepEqual(first.VolumesDeleted, [anonymous.Name]);
    assert.ok(first.SpaceReclaimed >= 10_000);
    const second = await volumes.prune(
      new Map([
        ['all', ['true']],
        ['label!', ['keep']],
      ]),
    );
    assert.deepEqual(second.VolumesDeleted, ['named']);
  });

  test('usage() tells bytes and containers', async (t) => {
    const { volumes } = await make(t);
    const { Mountpoint } = await volumes.create({ Name: 'data' });
    await writeFile(join(Mountpoint, 'file'), 'x'.repeat(5000));
    volumes.attach('data', 'c1');
    const [usage] = await volumes.usage();
    assert.equal(usage?.UsageData?.RefCount, 1);
    assert.ok((usage.UsageData.Size ?? 0) >= 5000);
  });
}
