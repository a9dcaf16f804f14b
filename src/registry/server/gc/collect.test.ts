import assert from 'node:assert/strict';
import { readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import { temporaryDirectory } from '../../../../test/support/files.ts';
import { descriptorOf, manifestOf } from '../../../../test/support/registry.ts';
import { type ContentDigest, contentDigestOf } from '../content-digest.ts';
import { openLocalStorage } from '../storage/index.ts';
import { collectGarbage } from './collect.ts';

const day = 86_400_000;

test('collectGarbage() keeps all of an index that somebody asks for after the plan was made', async (t) => {
  const root = temporaryDirectory(t);
  await using storage = await openLocalStorage({ root });
  const putBlob = async (bytes: string) => {
    const { id } = await storage.uploads.start('x');
    await using upload = await storage.uploads.resume('x', id);
    assert.ok(upload);
    await upload.append(Readable.from([Buffer.from(bytes)]));
    await upload.commit(contentDigestOf(bytes));
  };
  const put = async (text: string, subject?: ContentDigest): Promise<ContentDigest> => {
    const [digest, bytes] = [contentDigestOf(text), Buffer.from(text)];
    await storage.manifests.put('x', { digest, bytes, ...(subject === undefined ? {} : { subject }) });
    return digest;
  };
  for (const bytes of ['{}', 'kept', 'signed', 'left']) await putBlob(bytes);
  const child = manifestOf(['kept']);
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [descriptorOf(child, 'application/vnd.oci.image.manifest.v1+json')],
  });
  const kept = await put(index);
  const signature = manifestOf(['signed'], {
    subject: descriptorOf(index, 'application/vnd.oci.image.index.v1+json'),
  });
  const all = [kept, await put(child), await put(signature, kept)];
  const other = await put(manifestOf(['left']));
  await storage.tags.set('x', 'old', kept);
  await storage.tags.set('x', 'older', other);
  /** Makes every file whose path ends so look as if it was used then. */
  const touch = (end: string, atMs: number) => {
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && path.endsWith(end)) utimesSync(path, new Date(atMs), new Date(atMs));
    }
  };
  touch('', Date.now() - 2 * day);
  const report = await collectGarbage(storage, {
    config: {
      graceMs: day,
      uploadsMs: day,
      retention: [{ repositories: ['*'], tags: ['*'], keepLast: 0 }],
    },
    // Tags go first: the plan is made, and no manifest has gone.
    onRemoval: ({ kind }) => {
      if (kind === 'tag') touch(kept.slice('sha256:'.length), Date.now());
    },
  });
  assert.deepEqual({ manifests: report?.manifests, blobs: report?.blobs }, { manifests: 1, blobs: 1 });
  for (const digest of all) assert.ok(await storage.manifests.info('x', digest));
  for (const bytes of ['{}', 'kept', 'signed']) {
    assert.ok(await storage.blobs.info('x', contentDigestOf(bytes)), bytes);
  }
});
