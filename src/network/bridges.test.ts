import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { engineConfig } from '../config/index.ts';
import { withSubnetLock } from './bridges.ts';

test('withSubnetLock() uses a file that no other user can lock', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-subnets-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const config = { ...engineConfig({ root: directory }), run: join(directory, 'instance') };
  const path = join(directory, 'subnets.lock');
  const mode = () => withSubnetLock(config, async () => statSync(path).mode & 0o777);
  assert.equal(await mode(), 0o600);
  rmSync(path);
  writeFileSync(path, '', { mode: 0o644 });
  assert.equal(await mode(), 0o600);
});
