import type { HostConfig } from '../../api/index.ts';
import { type HostFacts, numbersIn } from '../host-facts.ts';
import { invalid } from './invalid.ts';

/** Bytes: less than this and a process does not even start. */
const leastMemory = 6 * 1024 * 1024;
const leastCpuShares = 2;
const mostCpuShares = 262_144;
const leastNanoCpus = 10_000_000;
const ulimitNames = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  ),
);

/** Checks limits against each other and this host. Throws `invalidArgument` with Docker's texts. Also for update. */
export function assertResources(config: HostConfig, host: HostFacts): void {
  assertMemory(config);
  assertCpu(config, host);
  assertCpuset(config, host);
  assertBlkio(config);
  assertUlimits(config);
  if (config.OomScoreAdj < -1000 || config.OomScoreAdj > 1000) {
    throw invalid(`Invalid value ${config.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  if (config.ShmSize < 0) throw invalid('SHM size can not be less than 0');
}

function assertMemory({ Memory, MemorySwap, MemoryReservation, MemorySwappiness }: HostConfig): void {
  if (Memory !== 0 && Memory < leastMemory) throw invalid('Minimum memory limit allowed is 6MB');
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (Memory === 0 && MemorySwap > 0) {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (MemorySwappiness !== null && (MemorySwappiness < 0 || MemorySwappiness > 100)) {
    throw invalid(`Invalid value: ${MemorySwappiness}, valid memory swappiness range is 0-100`);
  }
  if (MemoryReservation !== 0 && MemoryReservation < leastMemory) {
    throw invalid('Minimum memory reservation allowed is 6MB');
  }
  if (Memory > 0 && MemoryReservation > Memory) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

function assertCpu(config: HostConfig, host: HostFacts): void {
  const { NanoCpus, CpuPeriod, CpuQuota, CpuShares } = config;
  assertShares(CpuShares);
  if (NanoCpus > 0 && CpuPeriod > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (NanoCpus > 0 && CpuQuota > 0) {
    throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  }
  if (NanoCpus !== 0 && (NanoCpus < leastNanoCpus || NanoCpus > host.cpuCount * 1e9)) {
    const most = host.cpuCount.toFixed(2);
    throw invalid(`range of CPUs is from 0.01 to ${most}, as there are only ${host.cpuCount} CPUs available`);
  }
  if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (CpuQuota > 0 && CpuQuota < 1000) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if ((config.CpuRealtimePeriod !== 0 || config.CpuRealtimeRuntime !== 0) && !host.cpuRealtime) {
    throw invalid('Your kernel does not support CPU real-time scheduler');
  }
  if (config.CpuRealtimePeriod !== 0 && config.CpuRealtimeRuntime > config.CpuRealtimePeriod) {
    throw invalid('cpu real-time runtime cannot be higher than cpu real-time period');
  }
  if (config.CpuCount > 0) {
    throw invalid('Invalid CPU settings: linux does not support CPU count');
  }
  if (config.CpuPercent > 0) {
    throw invalid('Invalid CPU settings: linux does not support CPU percent');
  }
}

/** The kernel's range on cgroup v1; on v2 runc turns shares into a weight. 0 is none. */
function assertShares(shares: number): void {
  if (shares < 0) throw invalid('shares: invalid argument');
  if (shares !== 0 && shares < leastCpuShares) {
    throw invalid(`the minimum allowed cpu-shares is ${leastCpuShares}`);
  }
  if (shares > mostCpuShares) throw invalid(`the maximum allowed cpu-shares is ${mostCpuShares}`);
}

function assertCpuset({ CpusetCpus, CpusetMems }: HostConfig, host: HostFacts): void {
  assertList(CpusetCpus, { available: host.onlineCpus, kind: 'cpus', words: 'CPUs' });
  assertList(CpusetMems, { available: host.memoryNodes, kind: 'mems', words: 'memory nodes' });
}

function assertList(
  list: string,
  { available, kind, words }: { readonly available: string; readonly kind: string; readonly words: string },
): void {
  const have = new Set(numbersIn(available));
  let wanted: number[];
  try {
    wanted = numbersIn(list);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalid(`Invalid value ${list} for cpuset ${kind}: invalid format: ${list}`);
  }
  if (!wanted.every((one) => have.has(one))) {
    throw invalid(`Requested ${words} are not available - requested ${list}, available: ${available}`);
  }
}

function assertBlkio(config: HostConfig): void {
  const { BlkioWeight: weight } = config;
  if (weight !== 0 && (weight < 10 || weight > 1000)) {
    throw invalid('Range of blkio weight is from 10 to 1000');
  }
  if (config.IOMaximumBandwidth !== 0) {
    throw invalid('Invalid QoS settings: linux does not support configuration of maximum bandwidth');
  }
  if (config.IOMaximumIOps !== 0) {
    throw invalid('Invalid QoS settings: linux does not support configuration of maximum IOPs');
  }
}

function assertUlimits({ Ulimits }: HostConfig): void {
  for (const { Name, Soft, Hard } of Ulimits ?? []) {
    if (!ulimitNames.has(Name)) throw invalid(`invalid ulimit type: ${Name}`);
    if (Hard !== -1 && (Soft === -1 || Soft > Hard)) {
      throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
    }
  }
}

/** What a process may only do with CAP_SYS_RESOURCE: to raise a hard limit, and to be killed later than the engine itself. */
export function assertRaisable({ Ulimits, OomScoreAdj }: HostConfig, host: HostFacts): void {
  if (host.capabilities.includes('CAP_SYS_RESOURCE')) return;
  for (const { Name, Soft, Hard } of Ulimits ?? []) {
    const own = host.hardLimits[Name] ?? Infinity;
    if (own === Infinity || (Hard !== -1 && Hard <= own)) continue;
    throw invalid(
      `ulimit ${Name}=${Soft}:${Hard} is above the daemon's own hard limit of ${own}, and the daemon lacks CAP_SYS_RESOURCE to raise it`,
    );
  }
  if (OomScoreAdj < Math.min(host.oomScoreAdj, 0)) {
    throw invalid(
      `oom score adj ${OomScoreAdj} is below the daemon's own of ${host.oomScoreAdj}, and the daemon lacks CAP_SYS_RESOURCE to lower it`,
    );
  }
}
