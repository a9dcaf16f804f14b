import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { statFields } from '../../test/support/proc.ts';
import { until } from '../../test/support/until.ts';
import { adoptOrphans, OrphanSweep } from './orphans.ts';
import { reapChild } from './reap-child.ts';
import { run } from './run.ts';

adoptOrphans();

/** The pid of an orphan of ours that has ended with exit code 7. */
async function endedOrphan(): Promise<number> {
  const { stdout } = await run('sh', ['-c', 'sh -c "sleep 0.1; exit 7" >/dev/null & echo $!']);
  const pid = Number(stdout);
  await until(() => statFields(pid)[0] === 'Z', 'it goes on');
  return pid;
}

function sweepOf(t: TestContext): { readonly sweep: OrphanSweep; readonly look: () => void } {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sweep = new OrphanSweep();
  t.after(() => {
    sweep[Symbol.dispose]();
  });
  return {
    sweep,
    look: () => {
      sweep.note();
      t.mock.timers.tick(1000);
    },
  };
}

test('an orphan is reaped when it has been seen ended twice', async (t) => {
  const pid = await endedOrphan();
  const { look } = sweepOf(t);
  look();
  assert.ok(existsSync(`/proc/${pid}`));
  look();
  assert.ok(!existsSync(`/proc/${pid}`));
});

test('an orphan that somebody expects is left to them, and to one look more once they know it', async (t) => {
  const pid = await endedOrphan();
  const { sweep, look } = sweepOf(t);
  const expected = sweep.expecting();
  for (let looks = 0; looks < 4; looks += 1) look();
  expected[Symbol.dispose]();
  look();
  assert.equal(reapChild(pid), 7);
});

test('an orphan that has ended before somebody expects one is not theirs', async (t) => {
  const pid = await endedOrphan();
  const { sweep, look } = sweepOf(t);
  look();
  using _expected = sweep.expecting();
  look();
  assert.ok(!existsSync(`/proc/${pid}`));
});
