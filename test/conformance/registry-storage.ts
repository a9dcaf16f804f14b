import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { type ContentDigest, contentDigestOf } from '../../src/registry/server/content-digest.ts';
import type { RegistryStorage, UploadWriter } from '../../src/registry/server/storage/index.ts';

/** Opens the same storage once more, as another process would. */
export interface StorageUnderTest {
  readonly open: () => Promise<RegistryStorage>;
}

/** What every storage of a registry promises. `make` gives a fresh, empty one that is cleaned up after the test. */
export function registryStorageConformance(
  name: string,
  make: (t: TestContext) => Promise<StorageUnderTest>,
): void {
  const bytes = randomBytes(700_000);
  const digest = contentDigestOf(bytes);
  const tomorrow = () => Date.now() + 86_400_000;

  async function openOne(t: TestContext): Promise<RegistryStorage> {
    return (await make(t)).open();
  }

  async function writerOf(storage: RegistryStorage, repository: string, id: string): Promise<UploadWriter> {
    const writer = await storage.uploads.resume(repository, id);
    assert.ok(writer !== undefined);
    return writer;
  }

  async function store(
    storage: RegistryStorage,
    repository: string,
    content = bytes,
  ): Promise<ContentDigest> {
    const { id } = await storage.uploads.start(repository);
    await using writer = await writerOf(storage, repository, id);
    await writer.append(chunksOf(content));
    const { digest: stored } = await writer.commit(contentDigestOf(content));
    return stored;
  }

  test(`${name}: a committed upload is a blob of its repository only`, async (t) => {
    const storage = await openOne(t);
    await store(storage, 'a/b');
    assert.equal((await storage.blobs.info('a/b', digest))?.size, bytes.length);
    assert.equal(await storage.blobs.info('a', digest), undefined);
    assert.ok(bytes.equals(await buffer(await storage.blobs.open('a/b', digest))));
    const part = await buffer(await storage.blobs.open('a/b', digest, { start: 5, end: 10 }));
    assert.ok(bytes.subarray(5, 11).equals(part));
    await assert.rejects(storage.blobs.open('a', digest), { code: 'notFound' });
    const listed = await Array.fromAsync(storage.blobs.list('a/b'));
    assert.deepEqual(
      listed.map((one) => [one.digest, one.size]),
      [[digest, bytes.length]],
    );
  });

  test(`${name}: another process goes on with an upload where it is`, async (t) => {
    const { open } = await make(t);
    const [one, other] = [await open(), await open()];
    const { id } = await one.uploads.start('x');
    {
      await using writer = await writerOf(one, 'x', id);
      await writer.append(chunksOf(bytes.subarray(0, 300_000)));
    }
    assert.equal((await other.uploads.status('x', id))?.size, 300_000);
    assert.equal(await other.uploads.status('y', id), undefined);
    {
      await using writer = await writerOf(other, 'x', id);
      await writer.append(chunksOf(bytes.subarray(300_000, 500_000)));
    }
    await using writer = await writerOf(one, 'x', id);
    assert.equal(writer.size, 500_000);
    await writer.append(chunksOf(bytes.subarray(500_000)));
    assert.ok(bytes.subarray(10, 20).equals(await writer.readAt(10, 10)));
    await writer.commit(digest);
    assert.equal(await other.uploads.status('x', id), undefined);
    assert.ok(bytes.equals(await buffer(await other.blobs.open('x', digest))));
  });

  test(`${name}: what arrived before a failure stays, and one writer at a time`, async (t) => {
    const storage = await openOne(t);
    const { id } = await storage.uploads.start('x');
    {
      await using writer = await writerOf(storage, 'x', id);
      await assert.rejects(storage.uploads.resume('x', id, AbortSignal.timeout(100)));
      async function* broken() {
        yield* chunksOf(bytes.subarray(0, 200_000));
        // The bytes before are written while the source is waited for.
        await new Promise((resolve) => setTimeout(resolve, 200));
        throw new Error('cut');
      }
      await assert.rejects(writer.append(broken()), /cut/);
    }
    await using writer = await writerOf(storage, 'x', id);
    assert.equal(writer.size, 200_000);
    await writer.append(chunksOf(bytes.subarray(200_000)));
    assert.equal((await writer.commit(digest)).size, bytes.length);
  });

  test(`${name}: wrong content is refused and leaves nothing`, async (t) => {
    const storage = await openOne(t);
    const { id } = await storage.uploads.start('x');
    await using writer = await writerOf(storage, 'x', id);
    await writer.append(chunksOf(bytes));
    await assert.rejects(writer.commit(contentDigestOf('other')), { code: 'invalidArgument' });
    assert.equal(await storage.uploads.status('x', id), undefined);
    assert.deepEqual(await Array.fromAsync(storage.blobs.list('x')), []);
    assert.deepEqual(await storage.upkeep.sweep(tomorrow()), { blobs: 0, bytes: 0 });
  });

  test(`${name}: sha512 is a digest like any other`, async (t) => {
    const storage = await openOne(t);
    const { id } = await storage.uploads.start('x');
    await using writer = await writerOf(storage, 'x', id);
    await writer.append(chunksOf(bytes));
    const long = contentDigestOf(bytes, 'sha512');
    await writer.commit(long);
    assert.ok(bytes.equals(await buffer(await storage.blobs.open('x', long))));
  });

  test(`${name}: a mounted blob outlives its source`, async (t) => {
    const storage = await openOne(t);
    await store(storage, 'from');
    assert.equal(await storage.blobs.mount(digest, 'nowhere', 'to'), false);
    assert.equal(await storage.blobs.mount(digest, 'from', 'to'), true);
    assert.equal(await storage.blobs.mount(digest, 'from', 'to'), true);
    assert.equal(await storage.blobs.delete('from', digest), true);
    assert.equal(await storage.blobs.delete('from', digest), false);
    assert.deepEqual(await storage.upkeep.sweep(tomorrow()), { blobs: 0, bytes: 0 });
    assert.ok(bytes.equals(await buffer(await storage.blobs.open('to', digest))));
    await storage.blobs.delete('to', digest);
    assert.deepEqual(await storage.upkeep.sweep(tomorrow(), { dryRun: true }), {
      blobs: 1,
      bytes: bytes.length,
    });
    assert.deepEqual(await storage.upkeep.sweep(tomorrow()), { blobs: 1, bytes: bytes.length });
    assert.deepEqual(await storage.upkeep.sweep(tomorrow()), { blobs: 0, bytes: 0 });
  });

  test(`${name}: the time guard holds what was stored, used or mounted since`, async (t) => {
    const storage = await openOne(t);
    await store(storage, 'x');
    const before = Date.now() - 10_000;
    assert.equal(await storage.blobs.delete('x', digest, { unusedSinceMs: before }), false);
    await storage.manifests.put('x', { digest: contentDigestOf('{}'), bytes: Buffer.from('{}') });
    const condition = { unusedSinceMs: before };
    assert.equal(await storage.manifests.delete('x', contentDigestOf('{}'), condition), false);
    await storage.tags.set('x', 'latest', digest);
    assert.equal(await storage.tags.delete('x', 'latest', condition), false);
    const after = { unusedSinceMs: Date.now() + 10_000 };
    assert.equal(await storage.tags.delete('x', 'latest', after), true);
    assert.equal(await storage.blobs.delete('x', digest, after), true);
    assert.deepEqual(await storage.upkeep.sweep(before), { blobs: 0, bytes: 0 });
  });

  test(`${name}: manifests keep their bytes and are found by their subject`, async (t) => {
    const storage = await openOne(t);
    const subject = contentDigestOf('subject');
    const manifest = Buffer.from(JSON.stringify({ subject: { digest: subject } }, null, 3));
    const own = contentDigestOf(manifest);
    await storage.manifests.put('x', { digest: own, bytes: manifest, subject });
    await storage.manifests.put('x', { digest: own, bytes: manifest, subject });
    assert.ok(manifest.equals((await storage.manifests.read('x', own)) ?? Buffer.alloc(0)));
    assert.deepEqual(await storage.manifests.referrers('x', subject), [own]);
    assert.deepEqual(await storage.manifests.referrers('y', subject), []);
    assert.equal((await storage.manifests.use('x', own))?.size, manifest.length);
    assert.equal(await storage.manifests.delete('x', own), true);
    assert.deepEqual(await storage.manifests.referrers('x', subject), []);
    assert.equal(await storage.manifests.read('x', own), undefined);
  });

  test(`${name}: tags move, list in order and go`, async (t) => {
    const storage = await openOne(t);
    assert.equal(await storage.tags.names('x'), undefined);
    for (const tag of ['b', 'B', 'a.tmp', '1']) await storage.tags.set('x', tag, digest);
    await storage.tags.set('x', 'b', contentDigestOf('b'));
    assert.equal((await storage.tags.get('x', 'b'))?.digest, contentDigestOf('b'));
    assert.deepEqual(await storage.tags.names('x'), ['1', 'B', 'a.tmp', 'b']);
    assert.equal(await storage.tags.delete('x', 'b'), true);
    assert.equal(await storage.tags.delete('x', 'b'), false);
    assert.equal(await storage.tags.get('x', 'b'), undefined);
  });

  test(`${name}: a quota refuses what would pass it, counting shared content in each repository`, async (t) => {
    const storage = await openOne(t);
    await store(storage, 'from');
    const quota = { repositoryBytes: bytes.length + 10 };
    assert.equal(await storage.blobs.mount(digest, 'from', 'x', quota), true);
    const { id } = await storage.uploads.start('x');
    await using writer = await writerOf(storage, 'x', id);
    await writer.append(chunksOf(Buffer.from('eleven bytes')));
    await assert.rejects(writer.commit(contentDigestOf('eleven bytes'), quota), { code: 'forbidden' });
    assert.equal(await storage.blobs.info('x', contentDigestOf('eleven bytes')), undefined);
    assert.equal(await storage.uploads.status('x', id), undefined);
    const manifest = Buffer.from('a manifest');
    const more = { digest: contentDigestOf(manifest), bytes: manifest };
    await storage.manifests.put('x', more, quota);
    await storage.manifests.put('x', more, quota);
    // What is there already takes no more room.
    assert.equal(await storage.blobs.mount(digest, 'from', 'x', quota), true);
  });

  test(`${name}: dead uploads are reaped, others not`, async (t) => {
    const storage = await openOne(t);
    const { id } = await storage.uploads.start('x');
    assert.deepEqual(await storage.uploads.reap(Date.now() - 10_000), []);
    assert.deepEqual(await storage.uploads.reap(tomorrow(), { dryRun: true }), [id]);
    {
      await using _busy = await writerOf(storage, 'x', id);
      assert.deepEqual(await storage.uploads.reap(tomorrow()), []);
    }
    assert.deepEqual(await storage.uploads.reap(tomorrow()), [id]);
    assert.equal(await storage.uploads.status('x', id), undefined);
    assert.equal(await storage.uploads.cancel('x', id), false);
  });

  test(`${name}: repositories are listed, and one collection runs at a time`, async (t) => {
    const { open } = await make(t);
    const [one, other] = [await open(), await open()];
    for (const repository of ['b', 'a/b/c', 'a']) await store(one, repository, Buffer.from('x'));
    assert.deepEqual(await Array.fromAsync(other.upkeep.repositories()), ['a', 'a/b/c', 'b']);
    {
      await using running = await one.upkeep.beginCollection();
      assert.ok(running !== undefined);
      assert.equal(await other.upkeep.beginCollection(), undefined);
    }
    await using next = await other.upkeep.beginCollection();
    assert.ok(next !== undefined);
    await one.upkeep.check();
  });
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
