import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { processesOf, removeCgroups, thawForKill } from './cgroup.ts';
import type { ContainerState } from './state.ts';

describe('the cgroup of a container that ended in the meantime', () => {
  let directory: string;
  const stateAt = (path: string): ContainerState => ({
    pid: 1,
    startTime: '0',
    cgroupPaths: { freezer: path, devices: path },
    hasHooks: false,
  });

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gantry-cgroup-'));
    await mkdir(join(directory, 'emptied'));
  });
  after(async () => rm(directory, { recursive: true }));

  test('has nothing to thaw', async () => {
    await assert.doesNotReject(thawForKill(stateAt(join(directory, 'gone'))));
  });

  test('has no processes', async () => {
    assert.deepEqual(await processesOf(stateAt(join(directory, 'gone'))), []);
    assert.deepEqual(await processesOf(stateAt(join(directory, 'emptied'))), []);
  });

  test('counts as removed', async () => {
    assert.equal(await removeCgroups(stateAt(join(directory, 'gone'))), true);
  });
});
