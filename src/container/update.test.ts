import assert from 'node:assert/strict';
import test from 'node:test';
import { dropUnsupportedChange } from './create/index.ts';
import { conflictOf } from './update.ts';

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
