import assert from 'node:assert/strict';
import test from 'node:test';
import { sampleOf } from './stats-sample.ts';

const usage = 100 << 20;

test('sampleOf() takes the inactive page cache off, by the name that each version of cgroups has for it', () => {
  const memory = (stats: object) => sampleOf({ memory_stats: { usage, limit: 200 << 20, stats } });
  const v1 = memory({ total_inactive_file: 30 << 20, inactive_file: 5 << 20 });
  assert.deepEqual([v1.memory, v1.memoryPercent], [70 << 20, 35]);
  const v2 = memory({ inactive_file: 60 << 20 });
  assert.deepEqual([v2.memory, v2.memoryPercent], [40 << 20, 20]);
  assert.equal(memory({}).memory, usage);
});

test('sampleOf() tells the share of one CPU since the sample before', () => {
  const cpu = (total_usage: number, system_cpu_usage: number, online_cpus?: number) => ({
    cpu_usage: { total_usage, percpu_usage: [1, 1] },
    system_cpu_usage,
    online_cpus,
  });
  assert.equal(sampleOf({ cpu_stats: cpu(3e9, 20e9, 4), precpu_stats: cpu(1e9, 12e9, 4) }).cpuPercent, 100);
  // Before version 1.27 the CPUs are those that have a figure.
  assert.equal(sampleOf({ cpu_stats: cpu(3e9, 20e9), precpu_stats: cpu(1e9, 12e9) }).cpuPercent, 50);
  assert.equal(sampleOf({ cpu_stats: cpu(3e9, 12e9, 4), precpu_stats: cpu(1e9, 12e9, 4) }).cpuPercent, 0);
});

test('sampleOf() sums up networks and devices', () => {
  const { networkIn, networkOut, blockIn, blockOut, pids } = sampleOf({
    networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 10, tx_bytes: 20 } },
    blkio_stats: {
      // v1 writes the operation with a capital, v2 without.
      io_service_bytes_recursive: [
        { op: 'Read', value: 3 },
        { op: 'read', value: 30 },
        { op: 'Write', value: 4 },
        { op: 'Total', value: 7 },
      ],
    },
    pids_stats: { current: 5 },
  });
  assert.deepEqual([networkIn, networkOut, blockIn, blockOut, pids], [11, 22, 33, 4, 5]);
});

test('sampleOf() of a container that does not run is nothing', () => {
  assert.deepEqual(new Set(Object.values(sampleOf({ memory_stats: {}, blkio_stats: null }))), new Set([0]));
});
