import type { HostConfig } from '../../api/index.ts';
import type { LoggingConfig } from '../../config/index.ts';
import type { HostFacts } from '../host-facts.ts';
import { defaultCgroupnsMode } from '../spec/namespaces.ts';
import { defaultReadonlyPaths, maskedPathsOf } from '../spec/spec.ts';

const defaultShmBytes = 64 * 1024 * 1024;

/** Every field as dockerd would keep it. A field that a client sends as null counts as left out. */
export function defaultHostConfig(
  given: Partial<HostConfig>,
  {
    host,
    runtime,
    logging,
  }: { readonly host: HostFacts; readonly runtime: string; readonly logging: LoggingConfig },
): HostConfig {
  const memory = given.Memory ?? 0;
  const privileged = given.Privileged ?? false;
  const merged: HostConfig = { ...emptyHostConfig, ...withoutNull(given) };
  return {
    ...merged,
    LogConfig: logConfigOf(given.LogConfig, logging),
    NetworkMode:
      merged.NetworkMode === '' || merged.NetworkMode === 'default' ? 'bridge' : merged.NetworkMode,
    PortBindings: Object.fromEntries(
      Object.entries(merged.PortBindings).map(([port, to]) => [
        port.includes('/') ? port : `${port}/tcp`,
        to,
      ]),
    ),
    RestartPolicy: {
      Name: given.RestartPolicy?.Name || 'no',
      MaximumRetryCount: given.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    CgroupnsMode: merged.CgroupnsMode === '' ? defaultCgroupnsMode(host) : merged.CgroupnsMode,
    IpcMode: merged.IpcMode === '' ? 'private' : merged.IpcMode,
    ShmSize: merged.ShmSize === 0 ? defaultShmBytes : merged.ShmSize,
    Runtime: merged.Runtime === '' ? runtime : merged.Runtime,
    MemorySwap: memory > 0 && merged.MemorySwap === 0 ? memory * 2 : merged.MemorySwap,
    MemorySwappiness: merged.MemorySwappiness === -1 ? null : merged.MemorySwappiness,
    // 0 and every negative number are no limit.
    PidsLimit: (merged.PidsLimit ?? 0) > 0 ? merged.PidsLimit : null,
    OomKillDisable: host.cgroupVersion === 1 ? (merged.OomKillDisable ?? false) : merged.OomKillDisable,
    MaskedPaths: privileged ? null : (given.MaskedPaths ?? maskedPathsOf(host)),
    ReadonlyPaths: privileged ? null : (given.ReadonlyPaths ?? defaultReadonlyPaths),
  };
}

/** Options of the engine's own are for its driver; those of the cache for every one. */
function logConfigOf(
  given: HostConfig['LogConfig'] | null | undefined,
  { driver, options }: LoggingConfig,
): HostConfig['LogConfig'] {
  const type = given?.Type || driver;
  const inherited = Object.entries(options).filter(([name]) => type === driver || name.startsWith('cache-'));
  return { Type: type, Config: { ...Object.fromEntries(inherited), ...given?.Config } };
}

function withoutNull(given: Partial<HostConfig>): Partial<HostConfig> {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== null && value !== undefined),
  );
}

const emptyHostConfig: HostConfig = {
  Binds: null,
  ContainerIDFile: '',
  LogConfig: { Type: '', Config: {} },
  NetworkMode: '',
  PortBindings: {},
  RestartPolicy: { Name: '', MaximumRetryCount: 0 },
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: '',
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: '',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  ShmSize: 0,
  Runtime: '',
  Isolation: '',
  MaskedPaths: null,
  ReadonlyPaths: null,
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: [],
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: null,
  PidsLimit: null,
  Ulimits: [],
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
};
