import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { contentStoreConformance } from '../../../test/conformance/content-store.ts';
import { hexOf } from '../../oci/index.ts';
import { openContentStore } from '../index.ts';

async function directoryOf(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-content-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

contentStoreConformance('local', async (t) => openContentStore({ directory: await directoryOf(t) }));

test('openContentStore() makes an OCI image layout', async (t) => {
  const directory = await directoryOf(t);
  const store = await openContentStore({ directory });
  const { digest } = await store.put('hello');
  assert.deepEqual(JSON.parse(await readFile(join(directory, 'oci-layout'), 'utf8')), {
    imageLayoutVersion: '1.0.0',
  });
  assert.equal(await readFile(join(directory, 'blobs', 'sha256', hexOf(digest)), 'utf8'), 'hello');
});

test('openContentStore() drops what a crash left half written and keeps the blobs', async (t) => {
  const directory = await directoryOf(t);
  const first = await openContentStore({ directory });
  const { digest } = await first.put('hello');
  await writeFile(join(directory, 'ingest', 'left'), 'half');
  const second = await openContentStore({ directory });
  assert.deepEqual(await readdir(join(directory, 'ingest')), []);
  assert.ok(await second.info(digest));
});

test('dispose() removes the file of a blob that was never committed', async (t) => {
  const directory = await directoryOf(t);
  const store = await openContentStore({ directory });
  const writer = await store.ingest();
  writer.writable.write(Buffer.alloc(5_000_000));
  await writer[Symbol.asyncDispose]();
  await writer[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(join(directory, 'ingest')), []);
});
