import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { type KernelState, readKernelState } from './support/kernel-state.ts';

// Runs last and alone, when no daemon of a test is alive. What engines held before the first test (a person's own
// engine, say) is in the file that GANTRY_TEST_BEFORE names; whatever is there beyond that was left behind.

const before = process.env['GANTRY_TEST_BEFORE'];
const known = before === undefined ? undefined : (JSON.parse(readFileSync(before, 'utf8')) as KernelState);
const now = readKernelState();

for (const [kind, what] of [
  ['mounts', 'overlay or bind mount'],
  ['processes', 'monitor'],
  ['links', 'bridge or veth'],
  ['namespaces', 'network namespace'],
  ['tables', 'nft table'],
  ['cgroups', 'cgroup'],
] as const) {
  test(`no ${what} is left behind`, () => {
    assert.deepEqual(
      now[kind].filter((name) => known?.[kind].includes(name) !== true),
      [],
    );
  });
}
