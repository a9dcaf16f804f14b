import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import test, { type TestContext } from 'node:test';
import type { ContentStore } from '../../src/content/index.ts';
import { digestOf } from '../../src/oci/index.ts';

/** What every content store promises. `open` makes a fresh, empty one that is cleaned up after the test. */
export function contentStoreConformance(name: string, open: (t: TestContext) => Promise<ContentStore>): void {
  const bytes = randomBytes(3_000_000);
  const digest = digestOf(bytes);

  async function fill(writable: Writable, content = bytes): Promise<void> {
    await pipeline(Readable.from(chunksOf(content), { objectMode: false }), writable);
  }

  test(`${name}: a committed blob reads back whole, and in ranges`, async (t) => {
    const store = await open(t);
    await using writer = await store.ingest();
    await fill(writer.writable);
    assert.deepEqual(await writer.commit({ digest, size: bytes.length }), { digest, size: bytes.length });
    assert.ok(bytes.equals(await buffer(await store.open(digest))));
    assert.ok(bytes.subarray(5, 11).equals(await buffer(await store.open(digest, { start: 5, end: 10 }))));
    assert.ok(bytes.subarray(100).equals(await buffer(await store.open(digest, { start: 100 }))));
    assert.ok(bytes.equals(await store.read(digest)));
    assert.deepEqual(await store.info(digest), { digest, size: bytes.length });
  });

  test(`${name}: nothing is seen before the commit, nor after a dispose without one`, async (t) => {
    const store = await open(t);
    {
      await using writer = await store.ingest();
      await fill(writer.writable);
      assert.equal(await store.info(digest), undefined);
    }
    assert.equal(await store.info(digest), undefined);
    assert.deepEqual(await Array.fromAsync(store.list()), []);
  });

  test(`${name}: commit() refuses another digest or size and leaves nothing`, async (t) => {
    const store = await open(t);
    for (const expected of [{ digest: digestOf('other') }, { size: 1 }, { digest, size: 1 }]) {
      await using writer = await store.ingest();
      await fill(writer.writable);
      await assert.rejects(writer.commit(expected), { code: 'invalidArgument' });
    }
    assert.deepEqual(await Array.fromAsync(store.list()), []);
  });

  test(`${name}: committing what is there succeeds, also at the same time`, async (t) => {
    const store = await open(t);
    await Promise.all(
      [1, 2, 3, 4].map(async () => {
        await using writer = await store.ingest();
        await fill(writer.writable);
        await writer.commit({ digest });
      }),
    );
    await store.put(bytes);
    assert.equal((await Array.fromAsync(store.list())).length, 1);
  });

  test(`${name}: an empty blob is a blob`, async (t) => {
    const store = await open(t);
    await using writer = await store.ingest();
    const info = await writer.commit();
    assert.deepEqual(info, { digest: digestOf(''), size: 0 });
    assert.equal((await store.read(info.digest)).length, 0);
  });

  test(`${name}: aborting an ingest rejects the commit and leaves nothing`, async (t) => {
    const store = await open(t);
    const controller = new AbortController();
    {
      await using writer = await store.ingest(controller.signal);
      writer.writable.write(bytes);
      controller.abort();
      await assert.rejects(writer.commit());
    }
    assert.deepEqual(await Array.fromAsync(store.list()), []);
  });

  test(`${name}: an absent blob is notFound to read and no error to delete`, async (t) => {
    const store = await open(t);
    await assert.rejects(store.open(digest), { code: 'notFound' });
    await assert.rejects(store.read(digest), { code: 'notFound' });
    assert.equal(await store.info(digest), undefined);
    assert.equal(await store.delete(digest), false);
  });

  test(`${name}: delete() removes, unless told to keep`, async (t) => {
    const store = await open(t);
    const info = await store.put('small');
    assert.equal(await store.delete(info.digest, () => true), false);
    assert.ok(await store.info(info.digest));
    assert.equal(await store.delete(info.digest), true);
    assert.equal(await store.info(info.digest), undefined);
  });

  test(`${name}: read() refuses a blob that is too large, open() a range that is none`, async (t) => {
    const store = await open(t);
    const info = await store.put('12345');
    await assert.rejects(store.read(info.digest, { maxBytes: 4 }), { code: 'invalidArgument' });
    await assert.rejects(store.open(info.digest, { start: 3, end: 2 }), { code: 'invalidArgument' });
  });

  test(`${name}: a lease given to commit() or put() holds the blob`, async (t) => {
    const store = await open(t);
    const held: string[] = [];
    const lease = {
      id: 'lease',
      add: ({ id }: { readonly id: string }) => void held.push(id),
      [Symbol.dispose]: () => undefined,
    };
    await using writer = await store.ingest();
    await fill(writer.writable);
    await writer.commit({}, lease);
    const small = await store.put('x', lease);
    assert.ok(held.includes(digest));
    assert.ok(held.includes(small.digest));
  });

  test(`${name}: resume() goes on with what an earlier try left, and is followed while it grows`, async (t) => {
    const store = await open(t);
    const blob = { digest, size: bytes.length };
    const half = bytes.length >> 1;
    {
      await using first = await store.resume(blob);
      await first.append(Readable.from([bytes.subarray(0, half)]));
    }
    assert.deepEqual(await Array.fromAsync(store.partials()), [{ digest, size: half }]);
    assert.equal(await store.info(digest), undefined);
    await using second = await store.resume(blob);
    assert.equal(second.size, half);
    assert.deepEqual(await Array.fromAsync(store.partials()), [], 'it is open');
    assert.equal(await store.dropPartial(digest), false);
    const followed = buffer(second.follow());
    await second.append(Readable.from(chunksOf(bytes.subarray(half))));
    assert.ok((await followed).equals(bytes));
    assert.deepEqual(await second.commit(), blob);
    await second.reset();
    assert.ok((await store.read(digest, { maxBytes: bytes.length })).equals(bytes));
  });

  test(`${name}: resume() drops wrong bytes, too many, and what nobody wants`, async (t) => {
    const store = await open(t);
    const blob = { digest, size: bytes.length };
    await using partial = await store.resume(blob);
    await partial.append(Readable.from([Buffer.alloc(bytes.length)]));
    await assert.rejects(partial.commit(), { code: 'invalidArgument' });
    assert.equal(partial.size, 0);
    await assert.rejects(partial.append(Readable.from([bytes, Buffer.from('more')])), {
      code: 'invalidArgument',
    });
    assert.equal(partial.size, 0);
    await partial.append(Readable.from([bytes.subarray(0, 10)]));
    const broken = assert.rejects(buffer(partial.follow()), { code: 'unavailable' });
    await partial[Symbol.asyncDispose]();
    await broken;
    assert.equal(await store.dropPartial(digest), true);
    assert.deepEqual(await Array.fromAsync(store.partials()), []);
  });

  test(`${name}: a reader that follows a blob ends when it is destroyed`, async (t) => {
    const store = await open(t);
    await using partial = await store.resume({ digest, size: bytes.length });
    const follower = partial.follow();
    follower.on('data', () => undefined);
    await partial.append(Readable.from([bytes.subarray(0, 10)]));
    const closed = once(follower, 'close');
    follower.destroy();
    await closed;
  });

  test(`${name}: the description is the last one given, and neither it nor a blob is a stray`, async (t) => {
    const store = await open(t);
    assert.equal(await store.described(), undefined);
    const { size } = await store.put(bytes);
    await using partial = await store.resume({ digest: digestOf('another'), size: 7 });
    await partial.append(Readable.from([Buffer.from('ano')]));
    for (const manifests of [[], [{ mediaType: 'application/octet-stream', digest, size }]]) {
      await store.describe({ schemaVersion: 2, manifests });
      const described = JSON.parse((await store.described()) ?? '') as { manifests: unknown };
      assert.deepEqual(described.manifests, manifests);
    }
    assert.deepEqual(await store.strays({ remove: true }), []);
    assert.deepEqual(await store.info(digest), { digest, size });
  });
}

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
