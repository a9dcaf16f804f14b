import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { volumesConformance } from '../../test/conformance/volumes.ts';
import { temporaryDirectory } from '../../test/support/files.ts';
import { SmallDisk } from '../../test/support/small-disk.ts';
import { engineConfig } from '../config/index.ts';
import { setXattrOf } from '../lib/file-calls.ts';
import { readMounts } from '../lib/mount-info.ts';
import { mount, unmount } from '../lib/native.ts';
import { getXattr } from '../lib/xattr.ts';
import { openMetadata } from '../metadata/index.ts';
import { createVolumes } from './index.ts';

function fixture(t: TestContext, directory?: string) {
  const scratch = directory ?? mkdtempSync(join(tmpdir(), 'gantry-volume-'));
  const root = join(scratch, 'root');
  mkdirSync(root);
  const metadata = openMetadata(join(root, 'gantry.db'));
  const config = engineConfig({ root });
  t.after(async () => {
    await metadata[Symbol.asyncDispose]();
    for (const { path } of readMounts()) if (path.startsWith(scratch)) unmount(path);
    rmSync(scratch, { recursive: true, force: true });
  });
  return { volumes: createVolumes({ config, metadata }), scratch, metadata, config };
}

const at = { destination: '/data', writable: true, propagation: '' };

volumesConformance(async (t) => fixture(t));

test('mount() and unmount() are journalled as Docker does, a mount with its place in the container', async (t) => {
  const { volumes, metadata } = fixture(t);
  await volumes.create({ Name: 'data' });
  await volumes.mount('data', 'c1', at);
  await volumes.mount('data', 'c1', { destination: '/again', writable: false, propagation: 'rslave' });
  await volumes.unmount('data', 'c1');
  await volumes.unmount('data', 'c1');
  const rows = [...metadata.journal.read({})].slice(1);
  const of = { driver: 'local', container: 'c1' };
  assert.deepEqual(
    rows.map(({ type, id, action, attributes }) => [type, id, action, attributes]),
    [
      ['volume', 'data', 'mount', { ...of, destination: '/data', 'read/write': 'true', propagation: '' }],
      [
        'volume',
        'data',
        'mount',
        { ...of, destination: '/again', 'read/write': 'false', propagation: 'rslave' },
      ],
      ['volume', 'data', 'unmount', of],
    ],
  );
});

test('fill() copies owner, mode and xattrs of the directory itself too', async (t) => {
  const { volumes, scratch } = fixture(t);
  const image = join(scratch, 'image');
  await mkdir(image);
  await writeFile(join(image, 'file'), 'x');
  await chown(image, 33, 34);
  await chmod(image, 0o1770);
  {
    await using file = await open(join(image, 'file'));
    setXattrOf(file.fd, 'trusted.test', Buffer.from('yes'));
  }
  await volumes.create({ Name: 'data' });
  await volumes.fill('data', image, { temporary: false });
  const path = await volumes.mount('data', 'c1', at);
  const { uid, gid, mode } = await lstat(path);
  assert.deepEqual([uid, gid, mode & 0o7777], [33, 34, 0o1770]);
  assert.equal(getXattr(join(path, 'file'), 'trusted.test')?.toString(), 'yes');
});

test('fill() from an empty directory of the image takes its owner and mode', async (t) => {
  const { volumes, scratch } = fixture(t);
  const image = join(scratch, 'image');
  await mkdir(image);
  await chown(image, 70, 70);
  await chmod(image, 0o700);
  const { Mountpoint } = await volumes.create({ Name: 'data' });
  await volumes.fill('data', image, { temporary: false });
  const { uid, mode } = await lstat(Mountpoint);
  assert.deepEqual([uid, mode & 0o777], [70, 0o700]);
});

test('fill() fills a volume whose first filling a crash cut short', async (t) => {
  const { volumes, scratch } = fixture(t);
  const image = join(scratch, 'image');
  await mkdir(image);
  await writeFile(join(image, 'file'), 'x');
  const { Mountpoint } = await volumes.create({ Name: 'data' });
  rmSync(Mountpoint, { recursive: true });
  await volumes.fill('data', image, { temporary: false });
  assert.deepEqual(await readdir(Mountpoint), ['file']);
});

test('what fill() fills a volume with outlives a power cut', async (t) => {
  const scratch = temporaryDirectory({ after: (cleanUp) => process.once('exit', cleanUp) });
  const disk = new SmallDisk(scratch, 64);
  const { volumes } = fixture(t, disk.mountPoint);
  const image = join(scratch, 'image');
  await mkdir(image);
  await writeFile(join(image, 'file'), 'x'.repeat(10_000));
  await volumes.create({ Name: 'data' });
  await volumes.fill('data', image, { temporary: false });
  const after = disk.afterPowerCut();
  const file = join(after, 'root/volumes/data/_data/file');
  assert.equal(await readFile(file, 'utf8'), 'x'.repeat(10_000));
});

test('a volume with driver options is mounted while a container uses it', async (t) => {
  const { volumes } = fixture(t);
  const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' };
  const { Mountpoint } = await volumes.create({ Name: 'temporary', DriverOpts: options });
  await volumes.mount('temporary', 'c1', at);
  await volumes.mount('temporary', 'c2', at);
  assert.equal((await lstat(Mountpoint)).uid, 1000);
  await volumes.unmount('temporary', 'c1');
  assert.ok(readMounts().some(({ path }) => path === Mountpoint));
  await volumes.unmount('temporary', 'c2');
  assert.ok(!readMounts().some(({ path }) => path === Mountpoint));
});

test('a volume that a container of an earlier engine has mounted stays so until that and all others end', async (t) => {
  const { volumes, metadata, config } = fixture(t);
  const DriverOpts = { type: 'tmpfs', device: 'tmpfs' };
  const { Mountpoint } = await volumes.create({ Name: 'temporary', DriverOpts });
  await writeFile(join(await volumes.mount('temporary', 'c1', at), 'file'), '');
  const again = createVolumes({ config, metadata });
  again.adopt('c1', ['temporary']);
  await again.recover(new Map());
  assert.deepEqual(await readdir(await again.mount('temporary', 'c2', at)), ['file']);
  await again.unmount('temporary', 'c1');
  assert.deepEqual(await readdir(Mountpoint), ['file']);
  await again.unmount('temporary', 'c2');
  assert.deepEqual(await readdir(Mountpoint), []);
});

test('a bind volume shows the host directory, and remove() leaves that alone', async (t) => {
  const { volumes, scratch } = fixture(t);
  const host = join(scratch, 'host');
  await mkdir(host);
  await writeFile(join(host, 'file'), 'x');
  await volumes.create({ Name: 'bound', DriverOpts: { type: 'none', o: 'bind', device: host } });
  assert.deepEqual(await readdir(await volumes.mount('bound', 'c1', at)), ['file']);
  await volumes.remove('bound', { force: false });
  assert.deepEqual(await readdir(host), ['file']);
});

test('mount() of a device that is not there names the volume and why', async (t) => {
  const { volumes } = fixture(t);
  await volumes.create({ Name: 'bad', DriverOpts: { type: 'none', o: 'bind', device: '/nonexistent' } });
  await assert.rejects(
    volumes.mount('bad', 'c1', at),
    /error while mounting volume '.*bad\/_data': failed to mount local volume/,
  );
});

test('create() refuses unknown and lonely driver options', async (t) => {
  const { volumes } = fixture(t);
  await assert.rejects(volumes.create({ Name: 'xx', DriverOpts: { foo: '1' } }), /invalid option: "foo"/);
  await assert.rejects(
    volumes.create({ Name: 'xx', DriverOpts: { type: 'tmpfs' } }),
    /missing required option: "device"/,
  );
  await assert.rejects(volumes.create({ Name: 'xx', Driver: 'nfs' }), /plugin "nfs" not found/);
});

test('remove() deletes nothing of what is mounted in the directory of a volume, and recover() neither', async (t) => {
  const { volumes, scratch, metadata, config } = fixture(t);
  const host = join(scratch, 'host');
  await mkdir(join(host, 'sub'), { recursive: true });
  await writeFile(join(host, 'sub/file'), 'x');
  const DriverOpts = { type: 'none', o: 'bind', device: host };
  await volumes.create({ Name: 'bound', DriverOpts });
  await volumes.mount('bound', 'c1', at);
  await volumes.openPart('bound', 'sub');
  await volumes.remove('bound', { force: false });
  assert.deepEqual(await readdir(join(host, 'sub')), ['file']);

  const { Mountpoint } = await volumes.create({ Name: 'bound', DriverOpts });
  await volumes.mount('bound', 'c1', at);
  const part = await volumes.openPart('bound', 'sub');
  await volumes.unmount('bound', 'c1');
  await mkdir(join(config.root, 'volumes/.removing'), { recursive: true });
  await rename(dirname(Mountpoint), join(config.root, 'volumes/.removing/gone'));
  metadata.db.exec('DELETE FROM volumes');
  await createVolumes({ config, metadata }).recover(new Map());
  assert.deepEqual(await readdir(join(host, 'sub')), ['file']);
  assert.ok(!readMounts().some(({ path }) => path.includes(basename(part.path))));
});

test('prune() goes on past a volume that cannot be removed, and is an event', async (t) => {
  const { metadata, config } = fixture(t);
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  const volumes = createVolumes({ config, metadata, onWarning });
  const [stuck, other] = [await volumes.create({}), await volumes.create({})].sort((a, b) =>
    a.Name < b.Name ? -1 : 1,
  );
  const directory = dirname(stuck?.Mountpoint ?? '');
  mount({ source: 'tmpfs', target: directory, type: 'tmpfs' });
  assert.deepEqual((await volumes.prune(new Map())).VolumesDeleted, [other?.Name]);
  assert.deepEqual(warnings, [`Cannot prune volume ${stuck?.Name}`]);
  const last = [...metadata.journal.read({})].at(-1);
  assert.deepEqual([last?.type, last?.action, last?.attributes], ['volume', 'prune', { reclaimed: '0' }]);
});

test('volumes, users and events are there after a restart', async (t) => {
  const { volumes, metadata, config } = fixture(t);
  await volumes.create({ Name: 'data' });
  volumes.attach('data', 'c1');
  await volumes.mount('data', 'c1', at);
  await volumes.unmount('data', 'c1');
  await volumes.unmount('data', 'c1');
  await volumes.unmount('data', 'c2');
  const again = createVolumes({ config, metadata });
  await assert.rejects(again.remove('data', { force: false }), /volume is in use - \[c1\]/);
  again.detach('c1');
  await again.remove('data', { force: false });
  assert.deepEqual(
    [...metadata.journal.read({})].map(({ action }) => action),
    ['create', 'mount', 'unmount', 'destroy'],
  );
});

test('attach() joins a transaction of the caller', async (t) => {
  const { volumes, metadata } = fixture(t);
  await volumes.create({ Name: 'data' });
  assert.throws(() =>
    metadata.transact(() => {
      volumes.attach('data', 'c1');
      throw new Error('no');
    }),
  );
  await volumes.remove('data', { force: false });
});

test('fill() mounts a volume with driver options only meanwhile', async (t) => {
  const { volumes, scratch } = fixture(t);
  const [host, image] = [join(scratch, 'host'), join(scratch, 'image')];
  for (const directory of [host, image]) await mkdir(directory);
  await writeFile(join(image, 'file'), 'x');
  const DriverOpts = { type: 'none', o: 'bind', device: host };
  const { Mountpoint } = await volumes.create({ Name: 'bound', DriverOpts });
  await volumes.fill('bound', image, { temporary: false });
  assert.deepEqual(await readdir(host), ['file']);
  assert.ok(!readMounts().some(({ path }) => path === Mountpoint));
});

test('a part that was open when the engine was killed goes, and nothing of the volume with it', async (t) => {
  const { volumes, metadata, config } = fixture(t);
  const { Mountpoint } = await volumes.create({ Name: 'data' });
  await mkdir(join(Mountpoint, 'sub'));
  await writeFile(join(Mountpoint, 'sub/file'), 'x');
  const parts = [await volumes.openPart('data', 'sub'), await volumes.openPart('data', 'sub/file')];
  await createVolumes({ config, metadata }).recover(new Map());
  for (const { path } of parts) assert.ok(!readMounts().some((mount) => mount.path === path));
  assert.deepEqual(await readdir(join(Mountpoint, '..')), ['_data']);
  assert.deepEqual(await readdir(join(Mountpoint, 'sub')), ['file']);
});
