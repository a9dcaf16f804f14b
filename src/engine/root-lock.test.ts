import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { lockRoot } from './root-lock.ts';

test('lockRoot() closes a root that was there to other users', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'gantry-root-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  chmodSync(root, 0o755);
  await using _lock = await lockRoot(root);
  assert.equal(statSync(root).mode & 0o777, 0o710);
});
