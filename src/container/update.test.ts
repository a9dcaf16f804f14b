import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { hostFacts } from '../../test/support/host-facts.ts';
import type { HostConfig } from '../api/index.ts';
import { openMetadata } from '../metadata/index.ts';
import type { ImageId } from '../oci/index.ts';
import { dropUnsupportedChange, normalizeCreate } from './create/index.ts';
import { newState } from './record.ts';
import { ContainerStore } from './store.ts';
import { conflictOf, type UpdateDeps, updateContainer } from './update.ts';

const unlimited = { NanoCpus: 0, CpuPeriod: 0, CpuQuota: 0, MemorySwap: 0, AutoRemove: false };
const swap =
  'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time';
const cpu = (wanted: string, has: string) =>
  `Conflicting options: ${wanted} cannot be updated as ${has} has already been set`;
const restart = { Name: 'always', MaximumRetryCount: 0 } as const;

test('conflictOf() tells of limits and policies that do not go with those there are', () => {
  for (const [before, change, conflict] of [
    [{ CpuPeriod: 1e5 }, { NanoCpus: 1e9 }, cpu('Nano CPUs', 'CPU Period')],
    [{ CpuQuota: 1e5 }, { NanoCpus: 1e9 }, cpu('Nano CPUs', 'CPU Quota')],
    [{ NanoCpus: 1e9 }, { CpuPeriod: 1e5 }, cpu('CPU Period', 'NanoCPUs')],
    [{ NanoCpus: 1e9 }, { CpuQuota: 1e5 }, cpu('CPU Quota', 'NanoCPUs')],
    [{ NanoCpus: 1e9 }, { NanoCpus: 2e9, Memory: 0 }, undefined],
    [{}, { Memory: 1e8 }, swap],
    [{ MemorySwap: -1 }, { Memory: 1e8 }, swap],
    [{ MemorySwap: 1e8 }, { Memory: 2e8 }, swap],
    [{ MemorySwap: 2e8 }, { Memory: 1e8 }, undefined],
    [{}, { Memory: 1e8, MemorySwap: 2e8 }, undefined],
    [
      { AutoRemove: true },
      { restart },
      'Restart policy cannot be updated because AutoRemove is enabled for the container',
    ],
    [{ AutoRemove: true }, { restart: { ...restart, Name: 'no' } }, undefined],
    [{}, { restart }, undefined],
  ] as const) {
    assert.equal(conflictOf({ ...unlimited, ...before }, change), conflict);
  }
});

test('an update says what the kernel cannot limit, and leaves it out', () => {
  const change = { Memory: 1e8, BlkioWeight: 100 };
  const able = { swapLimit: true, blkioWeight: true };
  assert.deepEqual(dropUnsupportedChange(change, able), { change, warnings: [] });
  const dropped = dropUnsupportedChange(change, { swapLimit: false, blkioWeight: false });
  assert.deepEqual(dropped.change, { Memory: 1e8, MemorySwap: -1, BlkioWeight: 0 });
  assert.deepEqual(
    dropped.warnings.map((warning) => warning.split('. ')[1]),
    ['Memory limited without swap.', 'Weight discarded.'],
  );
});

/** Of a container that does not run, so that nothing is asked of the runtime. */
function updating(t: TestContext, HostConfig: Partial<HostConfig> = {}) {
  const metadata = openMetadata(':memory:');
  t.after(async () => metadata[Symbol.asyncDispose]());
  const store = new ContainerStore(metadata);
  const logging = { driver: 'json-file', options: {} };
  const { config, hostConfig } = normalizeCreate(
    { request: { Image: 'x', Cmd: ['x'], HostConfig }, image: {}, id: 'c1' },
    { host: hostFacts, runtimes: ['runc'], logging },
  );
  store.insert({
    record: {
      id: 'c1',
      name: '/app',
      created: new Date().toISOString(),
      imageId: 'sha256:0' as ImageId,
      config,
      hostConfig,
      endpoints: {},
      mounts: [],
    },
    state: newState,
  });
  const deps = { store, host: hostFacts } as unknown as UpdateDeps;
  return async (change: Partial<HostConfig>) => {
    await updateContainer(store.current('c1'), change, deps);
    return new ContainerStore(metadata).current('c1').record.hostConfig;
  };
}

test('updateContainer() keeps each limit that is given, and the others as they are', async (t) => {
  const update = updating(t, { Memory: 64e6, CpusetCpus: '0-1' });
  const change = {
    CpuShares: 512,
    CpuPeriod: 50_000,
    CpuQuota: 25_000,
    CpusetCpus: '1',
    CpusetMems: '0',
    MemoryReservation: 32e6,
  };
  const changed = await update(change);
  assert.deepEqual({ ...changed, ...change }, changed);
  assert.equal(changed.Memory, 64e6);
  assert.equal((await update({ NanoCpus: 0, CpuShares: 0 })).CpuShares, 512);
  await assert.rejects(
    update({ NanoCpus: 1e9 }),
    /Nano CPUs cannot be updated as CPU Period has already been set/,
  );
  await assert.rejects(update({ CpuRealtimeRuntime: 1000 }), /does not support CPU real-time scheduler/);
});

test('updateContainer() changes the restart policy, but not that of a container of --rm', async (t) => {
  const always = { Name: 'always', MaximumRetryCount: 0 } as const;
  const update = updating(t);
  assert.deepEqual((await update({ RestartPolicy: always })).RestartPolicy, always);
  assert.deepEqual((await update({ Memory: 64e6, MemorySwap: -1 })).RestartPolicy, always);
  await assert.rejects(
    update({ RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } }),
    /maximum retry count can only be used with 'on-failure'/,
  );
  const removed = updating(t, { AutoRemove: true });
  await assert.rejects(removed({ RestartPolicy: always }), {
    code: 'conflict',
    message:
      'Cannot update container c1: Restart policy cannot be updated because AutoRemove is enabled for the container',
  });
  assert.equal((await removed({ RestartPolicy: { Name: 'no', MaximumRetryCount: 0 } })).AutoRemove, true);
});
