import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { startDaemon } from '../support/daemon.ts';

const engine = await startDaemon({ after });
const gantry = join(import.meta.dirname, '../../bin/gantry');

/** `gantry stats` with these flags, which shows names and processes, and what it has shown each time. */
function watch(t: { after: (work: () => void) => void }, ...flags: string[]) {
  const child = spawn(gantry, ['stats', '--format', 'table {{.Name}} {{.PIDs}}', ...flags], {
    env: { ...process.env, GANTRY_HOST: engine.host },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const times = () => output.split('NAME PIDS\n').slice(1);
  return {
    child,
    /** Once a list shown from now on is this one. */
    shows: async (expected: string): Promise<void> => {
      const seen = times().length;
      const signal = AbortSignal.timeout(30_000);
      while (!times().slice(seen, -1).includes(expected)) await once(child.stdout, 'data', { signal });
    },
  };
}

test('gantry stats without names follows containers that come and go, until it is interrupted', async (t) => {
  const { child, shows } = watch(t);
  await shows('');
  engine.ok(['run', '-d', '--name', 'late', 'base:1', 'sleep', '1000']);
  await shows('late 1\n');
  engine.ok(['kill', 'late']);
  await shows('');
  engine.ok(['start', 'late']);
  await shows('late 1\n');
  engine.ok(['rm', '-f', 'late']);
  await shows('');
  child.kill('SIGINT');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('gantry stats --all keeps those that have ended, and shows those that are made', async (t) => {
  engine.ok(['run', '-d', '--name', 'first', 'base:1', 'sleep', '1000']);
  const { child, shows } = watch(t, '--all');
  await shows('first 1\n');
  engine.ok(['kill', 'first']);
  engine.ok(['create', '--name', 'second', 'base:1', 'true']);
  await shows('first 0\nsecond 0\n');
  child.kill('SIGINT');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
