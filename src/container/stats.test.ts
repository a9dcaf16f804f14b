import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { temporaryDirectory } from '../../test/support/files.ts';
import type { HostConfig } from '../api/index.ts';
import { cgroupStats, networkStats, systemCpuUsage } from './cgroup-stats.ts';
import { probeHost } from './host-facts.ts';
import { type Container, newState } from './record.ts';
import { containerStats } from './stats.ts';

function reader(files: Record<string, string>) {
  return (_controller: string, name: string) => files[name];
}

test('cgroupStats() reads cgroup v1', () => {
  const stats = cgroupStats(
    1,
    reader({
      'cpuacct.usage': '5000\n',
      'cpuacct.usage_percpu': '2000 3000 \n',
      'cpuacct.stat': 'user 2\nsystem 1\n',
      'cpu.stat': 'nr_periods 4\nnr_throttled 3\nthrottled_time 99\n',
      'memory.usage_in_bytes': '1000\n',
      'memory.max_usage_in_bytes': '2000\n',
      'memory.limit_in_bytes': '9223372036854771712\n',
      'memory.stat': 'cache 7\ntotal_inactive_file 5\n',
      'pids.current': '2\n',
      'pids.max': 'max\n',
      'blkio.throttle.io_service_bytes_recursive': '8:0 Read 4096\n8:0 Write 0\nTotal 4096\n',
    }),
    4000,
  );
  assert.deepEqual(stats.cpu_usage, {
    total_usage: 5000,
    percpu_usage: [2000, 3000],
    usage_in_kernelmode: 10_000_000,
    usage_in_usermode: 20_000_000,
  });
  assert.deepEqual(stats.throttling_data, { periods: 4, throttled_periods: 3, throttled_time: 99 });
  assert.deepEqual(stats.memory_stats, {
    usage: 1000,
    max_usage: 2000,
    stats: { cache: 7, total_inactive_file: 5 },
    limit: 4000,
  });
  assert.deepEqual(stats.pids_stats, { current: 2 });
  assert.deepEqual(stats.blkio_stats['io_service_bytes_recursive'], [
    { major: 8, minor: 0, op: 'read', value: 4096 },
    { major: 8, minor: 0, op: 'write', value: 0 },
  ]);
  assert.equal(stats.blkio_stats['io_serviced_recursive'], null);
});

test('cgroupStats() reads cgroup v2', () => {
  const stats = cgroupStats(
    2,
    reader({
      'cpu.stat':
        'usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 1\nnr_throttled 1\nthrottled_usec 7\n',
      'memory.current': '1000\n',
      'memory.max': '2000\n',
      'memory.stat': 'anon 1\ninactive_file 5\n',
      'pids.current': '2\n',
      'pids.max': '50\n',
      'io.stat': '8:0 rbytes=4096 wbytes=1 rios=2 wios=3 dbytes=0 dios=0\n',
    }),
    4000,
  );
  assert.deepEqual(stats.cpu_usage, {
    total_usage: 5000,
    usage_in_kernelmode: 2000,
    usage_in_usermode: 3000,
  });
  assert.equal(stats.throttling_data.throttled_time, 7000);
  assert.deepEqual(stats.memory_stats, { usage: 1000, stats: { anon: 1, inactive_file: 5 }, limit: 2000 });
  assert.deepEqual(stats.pids_stats, { current: 2, limit: 50 });
  assert.deepEqual(stats.blkio_stats['io_serviced_recursive'], [
    { major: 8, minor: 0, op: 'read', value: 2 },
    { major: 8, minor: 0, op: 'write', value: 3 },
  ]);
});

test('networkStats() reads every interface but loopback', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1       1    0    0    0     0          0         0     1      1    0    0    0     0       0          0
  eth0: 10 11 12 13 0 0 0 0 20 21 22 23 0 0 0 0
`;
  assert.deepEqual(networkStats(text), {
    eth0: {
      rx_bytes: 10,
      rx_packets: 11,
      rx_errors: 12,
      rx_dropped: 13,
      tx_bytes: 20,
      tx_packets: 21,
      tx_errors: 22,
      tx_dropped: 23,
    },
  });
});

test('systemCpuUsage() adds up the first seven kinds of time', () => {
  assert.equal(systemCpuUsage('cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n'), 280_000_000);
});

test('containerStats() samples a live process twice, and gives zeroes for a stopped one', async (t) => {
  const host = await probeHost();
  const cgroup = temporaryDirectory(t);
  writeFileSync(join(cgroup, host.cgroupVersion === 2 ? 'memory.current' : 'memory.usage_in_bytes'), '7\n');
  const runtime = { cgroups: async () => ({ memory: cgroup, '': cgroup }) };
  const container = (running: boolean): Container => ({
    record: {
      id: 'c1',
      name: '/x',
      created: '',
      imageId: 'sha256:0' as Container['record']['imageId'],
      config: {} as Container['record']['config'],
      hostConfig: { NetworkMode: 'bridge' } as HostConfig,
      endpoints: {},
      mounts: [],
    },
    state: { ...newState, running, pid: running ? process.pid : 0 },
  });
  const read = async (running: boolean, oneShot: boolean) => {
    const source = { id: 'c1', host, runtime, store: { get: () => container(running) } };
    const samples = await Array.fromAsync(
      containerStats(source, { stream: false, oneShot }, AbortSignal.timeout(60_000)),
    );
    assert.equal(samples.length, 1);
    return samples[0] as {
      read: string;
      preread: string;
      cpu_stats: object;
      precpu_stats: object;
      memory_stats: { usage?: number };
    };
  };
  const full = await read(true, false);
  assert.ok('system_cpu_usage' in full.precpu_stats);
  assert.ok(Date.parse(full.read) > Date.parse(full.preread));
  assert.equal(full.memory_stats.usage, 7, 'not of the cgroup that the process is in');
  const once = await read(true, true);
  assert.ok(!('system_cpu_usage' in once.precpu_stats));
  assert.equal((await read(false, false)).read, newState.startedAt);
});
