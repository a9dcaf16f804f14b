import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrno, isAbortError } from '../errors/index.ts';
import type { OciRuntime } from '../runtime/index.ts';
import { cgroupStats, networkStats, systemCpuUsage } from './cgroup-stats.ts';
import type { HostFacts } from './host-facts.ts';
import { type Container, zeroTime } from './record.ts';
import type { ContainerStore } from './store.ts';

const intervalMs = 1000;

/** The files worth reading, by controller: all at once, one failed lookup each where they are missing. */
const filesOf = {
  1: {
    cpuacct: ['cpuacct.usage', 'cpuacct.usage_percpu', 'cpuacct.stat'],
    cpu: ['cpu.stat'],
    memory: [
      'memory.usage_in_bytes',
      'memory.max_usage_in_bytes',
      'memory.failcnt',
      'memory.limit_in_bytes',
      'memory.stat',
    ],
    pids: ['pids.current', 'pids.max'],
    blkio: ['blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_serviced_recursive'],
  },
  2: {
    '': ['cpu.stat', 'memory.current', 'memory.max', 'memory.stat', 'pids.current', 'pids.max', 'io.stat'],
  },
} satisfies Record<1 | 2, Record<string, string[]>>;

export interface StatsSource {
  readonly id: string;
  readonly store: Pick<ContainerStore, 'get'>;
  readonly runtime: Pick<OciRuntime, 'cgroups'>;
  readonly host: HostFacts;
}

interface CpuStats {
  readonly cpu_usage: object;
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
  readonly throttling_data: object;
}

interface Sample {
  readonly read: string;
  readonly cpu_stats: CpuStats;
  readonly rest: object;
}

const noThrottling = { periods: 0, throttled_periods: 0, throttled_time: 0 };
const noCpu: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: noThrottling,
};
const noSample: Sample = {
  read: zeroTime,
  cpu_stats: noCpu,
  rest: { pids_stats: {}, blkio_stats: {}, memory_stats: {} },
};

/**
 * Docker's stats object: as a stream a sample a second until the container is removed; else one, after a second
 * sample to compare with, or at once with `oneShot`. A container that does not run gives zeroes.
 */
export async function* containerStats(
  source: StatsSource,
  options: { readonly stream: boolean; readonly oneShot: boolean },
  signal: AbortSignal,
): AsyncGenerator<object> {
  let before = noSample;
  try {
    for (let first = true; ; first = false) {
      const container = source.store.get(source.id);
      if (container === undefined) return;
      const sample = await takeSample(container, source);
      const compared = !first || options.oneShot || !container.state.running;
      if (options.stream || compared) yield statsObject(container, sample, before);
      if (!options.stream && compared) return;
      before = sample;
      await delay(intervalMs, undefined, { signal });
    }
  } catch (error) {
    // The client left: the stream is over.
    if (!signal.aborted || !isAbortError(error)) throw error;
  }
}

function statsObject({ record }: Container, sample: Sample, before: Sample): object {
  return {
    read: sample.read,
    preread: before.read,
    num_procs: 0,
    storage_stats: {},
    cpu_stats: sample.cpu_stats,
    precpu_stats: before.cpu_stats,
    ...sample.rest,
    name: record.name,
    id: record.id,
  };
}

async function takeSample({ state }: Container, { id, runtime, host }: StatsSource): Promise<Sample> {
  if (!state.running || state.pid === 0) return noSample;
  const directories = await runtime.cgroups(id);
  // It ended a moment ago and its exit is not recorded yet.
  if (directories === undefined) return noSample;
  const texts = new Map<string, string | undefined>();
  const [, network, stat] = await Promise.all([
    Promise.all(
      Object.entries(filesOf[host.cgroupVersion]).flatMap(([controller, names]) =>
        names.map(async (name) => {
          const directory = directories[controller];
          texts.set(name, directory === undefined ? undefined : await textOf(join(directory, name)));
        }),
      ),
    ),
    networkTable(state.pid),
    readFile('/proc/stat', 'utf8'),
  ]);
  const stats = cgroupStats(host.cgroupVersion, (_controller, name) => texts.get(name), host.memoryTotal);
  const networks = network === undefined ? {} : networkStats(network);
  const { cpu_usage, throttling_data, ...rest } = stats;
  return {
    read: new Date().toISOString(),
    cpu_stats: {
      cpu_usage,
      system_cpu_usage: systemCpuUsage(stat),
      online_cpus: host.cpuCount,
      throttling_data,
    },
    rest: {
      ...rest,
      ...(Object.keys(networks).length === 0 ? {} : { networks }),
    },
  };
}

/** The interfaces of its network, its own or another container's; `undefined` with the host's. */
async function networkTable(pid: number): Promise<string | undefined> {
  const [theirs, ours] = await Promise.all([
    unlessGone(readlink(`/proc/${pid}/ns/net`)),
    readlink('/proc/self/ns/net'),
  ]);
  return theirs === ours ? undefined : textOf(`/proc/${pid}/net/dev`);
}

function textOf(path: string): Promise<string | undefined> {
  return unlessGone(readFile(path, 'utf8'));
}

async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (
      ['ENOENT', 'ESRCH', 'ENODEV', 'EACCES', 'EOPNOTSUPP', 'EINVAL'].some((errno) => hasErrno(error, errno))
    )
      return undefined;
    throw error;
  }
}
