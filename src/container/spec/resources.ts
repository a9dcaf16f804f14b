import type { HostConfig, Resources, ThrottleDevice } from '../../api/index.ts';
import type { RuntimeResources } from '../../runtime/index.ts';
import { deviceNumber } from './devices.ts';

/** Microseconds: the period Docker counts `--cpus` in. */
const cpuPeriodUs = 100_000;
const nanoCpusPerCpu = 1e9;

interface ThrottleLimit {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

/** `linux.resources.blockIO` of the runtime specification, what it says of devices. */
export interface DeviceBlockIo {
  readonly weightDevice?: readonly {
    readonly major: number;
    readonly minor: number;
    readonly weight: number;
  }[];
  readonly throttleReadBpsDevice?: readonly ThrottleLimit[];
  readonly throttleWriteBpsDevice?: readonly ThrottleLimit[];
  readonly throttleReadIOPSDevice?: readonly ThrottleLimit[];
  readonly throttleWriteIOPSDevice?: readonly ThrottleLimit[];
}

/** cgroup limits but those on devices; what is not limited is left out. Used at start and by update. */
export function createResources(config: Partial<Resources>): RuntimeResources {
  const memory = memoryLimits(config);
  const cpu = cpuLimits(config);
  const pids = config.PidsLimit ?? undefined;
  const blockIo = nonZero('weight', config.BlkioWeight);
  return {
    ...(isEmpty(memory) ? {} : { memory }),
    ...(isEmpty(cpu) ? {} : { cpu }),
    ...(pids === undefined ? {} : { pids: { limit: pids > 0 ? pids : -1 } }),
    ...(isEmpty(blockIo) ? {} : { blockIO: blockIo }),
  };
}

function memoryLimits(config: Partial<Resources>): NonNullable<RuntimeResources['memory']> {
  const swappiness = config.MemorySwappiness ?? -1;
  return {
    ...nonZero('limit', config.Memory),
    ...nonZero('reservation', config.MemoryReservation),
    ...nonZero('swap', config.MemorySwap),
    ...(swappiness < 0 ? {} : { swappiness }),
    ...(config.OomKillDisable === true ? { disableOOMKiller: true } : {}),
  };
}

function cpuLimits(config: Partial<Resources>): NonNullable<RuntimeResources['cpu']> {
  const nano = config.NanoCpus ?? 0;
  return {
    ...nonZero('shares', config.CpuShares),
    ...(nano > 0
      ? { period: cpuPeriodUs, quota: Math.floor((nano * cpuPeriodUs) / nanoCpusPerCpu) }
      : { ...nonZero('quota', config.CpuQuota), ...nonZero('period', config.CpuPeriod) }),
    ...nonZero('realtimePeriod', config.CpuRealtimePeriod),
    ...nonZero('realtimeRuntime', config.CpuRealtimeRuntime),
    ...(config.CpusetCpus === undefined || config.CpusetCpus === '' ? {} : { cpus: config.CpusetCpus }),
    ...(config.CpusetMems === undefined || config.CpusetMems === '' ? {} : { mems: config.CpusetMems }),
  };
}

/** Block I/O limits of devices, whose numbers are looked up on this host; `undefined` when there are none. */
export async function resolveBlockIo(config: Partial<HostConfig>): Promise<DeviceBlockIo | undefined> {
  const [weightDevice, readBps, writeBps, readIops, writeIops] = await Promise.all([
    Promise.all(
      (config.BlkioWeightDevice ?? []).map(async ({ Path, Weight }) => ({
        ...(await deviceNumber(Path)),
        weight: Weight,
      })),
    ),
    throttles(config.BlkioDeviceReadBps),
    throttles(config.BlkioDeviceWriteBps),
    throttles(config.BlkioDeviceReadIOps),
    throttles(config.BlkioDeviceWriteIOps),
  ]);
  const limits: DeviceBlockIo = {
    ...(weightDevice.length === 0 ? {} : { weightDevice }),
    ...(readBps.length === 0 ? {} : { throttleReadBpsDevice: readBps }),
    ...(writeBps.length === 0 ? {} : { throttleWriteBpsDevice: writeBps }),
    ...(readIops.length === 0 ? {} : { throttleReadIOPSDevice: readIops }),
    ...(writeIops.length === 0 ? {} : { throttleWriteIOPSDevice: writeIops }),
  };
  return isEmpty(limits) ? undefined : limits;
}

async function throttles(devices: readonly ThrottleDevice[] | null | undefined): Promise<ThrottleLimit[]> {
  return Promise.all(
    (devices ?? []).map(async ({ Path, Rate }) => ({ ...(await deviceNumber(Path)), rate: Rate })),
  );
}

function nonZero<K extends string>(key: K, value: number | undefined): { [P in K]?: number } {
  return value === undefined || value === 0 ? {} : ({ [key]: value } as { [P in K]?: number });
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}
