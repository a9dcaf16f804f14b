import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testOciRuntime } from '../../../test/conformance/oci-runtime.ts';
import { createRuncRuntime } from '../index.ts';

testOciRuntime({ name: 'createRuncRuntime()', open: (run) => createRuncRuntime({ run, program: 'runc' }) });

test('probe() names the package of a missing program', async (t) => {
  const run = await mkdtemp(join(tmpdir(), 'runtime-'));
  t.after(() => rm(run, { recursive: true, force: true }));
  for (const program of ['runc', 'crun'] as const) {
    await using runtime = createRuncRuntime({ run, program, path: run });
    await assert.rejects(runtime.probe(), {
      code: 'unavailable',
      message: `Cannot run ${program}: the program is missing: install the package "${program}"`,
    });
  }
});
