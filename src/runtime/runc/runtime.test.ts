import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testOciRuntime } from '../../../test/conformance/oci-runtime/index.ts';
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

test('probe() names the package of a program that is there but does not run', async (t) => {
  const run = await mkdtemp(join(tmpdir(), 'runtime-'));
  t.after(() => rm(run, { recursive: true, force: true }));
  for (const program of ['runc', 'conmon']) {
    await writeFile(join(run, program), '#!/bin/sh\necho "$0 1.0"\n', { mode: 0o755 });
  }
  await using runtime = createRuncRuntime({ run, program: 'runc', path: run });
  await writeFile(join(run, 'conmon'), '#!/bin/sh\necho no libc >&2\nexit 127\n');
  await assert.rejects(runtime.probe(), {
    code: 'unavailable',
    message: 'Cannot use conmon: conmon --version failed: no libc: install the package "conmon" again',
  });
  await writeFile(join(run, 'runc'), 'no program');
  await assert.rejects(runtime.probe(), {
    code: 'unavailable',
    message: /^Cannot use runc: .*: install the package "runc" again$/,
  });
});

test('recoverExecs() forgets an exec whose files were being written when its engine was killed', async (t) => {
  const run = await mkdtemp(join(tmpdir(), 'runtime-'));
  t.after(() => rm(run, { recursive: true, force: true }));
  const exec = join(run, 'x/container/exec');
  await mkdir(exec, { recursive: true });
  await mkdir(join(run, 'c/container'), { recursive: true });
  await writeFile(join(exec, 'meta.json'), '');
  await using runtime = createRuncRuntime({ run, program: 'runc' });
  await runtime.recoverExecs();
  assert.deepEqual(await readdir(join(run, 'x/container')), []);
});

test('delete() takes along the files of an exec whose monitor still writes', async (t) => {
  const run = await mkdtemp(join(tmpdir(), 'runtime-'));
  t.after(() => rm(run, { recursive: true, force: true }));
  const exec = join(run, 'x/container/exec');
  await mkdir(exec, { recursive: true });
  await using runtime = createRuncRuntime({ run, program: 'runc' });
  const script = 'i=0; while [ $i -lt 3000 ] && : >"$0/$i"; do i=$((i+1)); done';
  const writer = spawn('sh', ['-c', script, exec], { stdio: 'ignore' });
  const ended = once(writer, 'exit');
  while ((await readdir(exec)).length < 100);
  await runtime.delete('container');
  await ended;
  assert.deepEqual(await readdir(join(run, 'x')), []);
});
