import assert from 'node:assert/strict';
import test from 'node:test';
import { explainRun } from './explain.ts';
import type { Ending, Run } from './run.ts';

const at = '2026-01-01T00:00:10.000Z';
const end: Run = {
  startedAt: '2026-01-01T00:00:00Z',
  finishedAt: at,
  exitCode: 0,
  oomKilled: false,
  error: '',
};
const stop: Ending = { action: 'stop', signal: 15, at, deaf: false, forced: false };
const health = { Start: at, End: at, ExitCode: 7, Output: 'no route\nto db\n' };

const cases: readonly (readonly [string, Partial<Run>, RegExp])[] = [
  ['an end by itself', {}, /^It came to its end by itself, exit code 0\.$/],
  ['a failure', { exitCode: 3 }, /^Its main process failed: exit code 3\.$/],
  [
    'a crash',
    { exitCode: 139 },
    /^SIGSEGV ended its main process \(exit code 139\), and it was not the engine/,
  ],
  ['a start that failed', { exitCode: 127, error: 'no such file' }, /^It did not start: no such file\.$/],
  ['a stop', { exitCode: 143, ending: stop }, /told to: stop \(SIGTERM\), exit code 143\.$/],
  ['a graceful stop', { ending: stop }, /told to: stop \(SIGTERM\), exit code 0\.$/],
  ['a slow stop', { exitCode: 137, ending: { ...stop, forced: true } }, /SIGKILL\) after stop .* in time\.$/],
  [
    'a deaf one',
    { exitCode: 137, ending: { ...stop, forced: true, deaf: true } },
    /no handler for SIGTERM.*--init/,
  ],
  [
    'a signal that it lived on with',
    {
      exitCode: 1,
      ending: { ...stop, action: 'kill', signal: 1, at: '2026-01-01T00:00:01Z' },
    },
    /failed: exit code 1\. The last it was told: kill \(SIGHUP\)\.$/,
  ],
  [
    'want of memory',
    { exitCode: 137, oomKilled: true },
    /killed it for want of memory.*64 MiB \(--memory\)\.$/,
  ],
  ['want of memory in a child', { exitCode: 1, oomKilled: true }, /killed a process in it .* exit code 1\.$/],
  [
    'a stop long after a child wanted memory',
    { exitCode: 137, oomKilled: true, ending: { ...stop, forced: true } },
    /^It was killed \(SIGKILL\) after stop .* The kernel had killed a process in it for want of memory: .*64 MiB \(--memory\)\.$/,
  ],
  [
    'a kill long after a child wanted memory',
    { exitCode: 137, oomKilled: true, ending: { ...stop, action: 'kill', signal: 9 } },
    /^It ended as it was told to: kill \(SIGKILL\), exit code 137\. The kernel had killed a process/,
  ],
  [
    'want of memory while it was being stopped',
    { exitCode: 137, oomKilled: true, ending: stop },
    /^The kernel killed it for want of memory/,
  ],
  ['a lost one', { exitCode: 255, ending: { ...stop, action: 'lost', signal: 0 } }, /^Nobody saw its end/],
  ['an unhealthy one', { exitCode: 1, health }, /check had failed with exit code 7: no route\.$/],
];

for (const [what, run, text] of cases) {
  test(`explainRun() explains ${what}`, () => {
    assert.match(explainRun({ ...end, ...run }, { memoryLimit: 64 << 20 }), text);
  });
}
