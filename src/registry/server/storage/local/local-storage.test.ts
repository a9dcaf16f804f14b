import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { registryStorageConformance } from '../../../../../test/conformance/registry-storage.ts';
import { temporaryDirectory } from '../../../../../test/support/files.ts';
import { contentDigestOf } from '../../content-digest.ts';
import { openLocalStorage } from '../index.ts';

registryStorageConformance('local', async (t) => {
  const root = temporaryDirectory(t);
  return { open: () => openLocalStorage({ root }) };
});

test('openLocalStorage() makes an OCI image layout whose content is shared by links', async (t) => {
  const root = temporaryDirectory(t);
  const storage = await openLocalStorage({ root });
  assert.deepEqual(JSON.parse(readFileSync(join(root, 'oci-layout'), 'utf8')), {
    imageLayoutVersion: '1.0.0',
  });
  const bytes = Buffer.from('{"schemaVersion":2}');
  const digest = contentDigestOf(bytes);
  await storage.manifests.put('a', { digest, bytes });
  await storage.manifests.put('b', { digest, bytes });
  const path = join(root, 'blobs/sha256', digest.slice('sha256:'.length));
  assert.equal(readFileSync(path, 'utf8'), '{"schemaVersion":2}');
  assert.equal(statSync(path).nlink, 3);
});
