import type { HostConfig, ThrottleDevice } from '../../api/index.ts';
import { each, number, on, one, pairs, type Setting, type Subject, size } from './setting.ts';

const defaultShmSize = 64 * 2 ** 20;

/** What `HostConfig` says beyond the engine's defaults, but for mounts and networks. */
export function hostSettings({ container, cgroupns, logDriver }: Subject): Setting[] {
  const config = container.HostConfig;
  return [
    ...on('rm', config.AutoRemove),
    ...restart(config),
    ...on('init', config.Init),
    ...(config.Init === false ? [{ flag: 'init', value: 'false' }] : []),
    ...on('privileged', config.Privileged),
    ...on('read-only', config.ReadonlyRootfs),
    ...each('cap-add', config.CapAdd),
    ...each('cap-drop', config.CapDrop),
    ...each('security-opt', securityOptions(config)),
    ...each('group-add', config.GroupAdd),
    ...one('pid', config.PidMode),
    ...one('ipc', config.IpcMode === 'private' ? '' : config.IpcMode),
    ...one('uts', config.UTSMode),
    ...one('userns', config.UsernsMode),
    ...one('cgroupns', config.CgroupnsMode === cgroupns ? '' : config.CgroupnsMode),
    ...one('cgroup-parent', config.CgroupParent),
    ...(config.ShmSize === defaultShmSize ? [] : size('shm-size', config.ShmSize)),
    ...pairs('sysctl', config.Sysctls),
    ...each(
      'ulimit',
      config.Ulimits?.map(({ Name, Soft, Hard }) => `${Name}=${Soft === Hard ? Soft : `${Soft}:${Hard}`}`),
    ),
    ...resources(config),
    ...one('log-driver', config.LogConfig.Type === logDriver ? '' : config.LogConfig.Type),
    ...pairs('log-opt', config.LogConfig.Config),
    ...one('runtime', config.Runtime === 'runc' ? '' : config.Runtime),
    ...pairs('annotation', config.Annotations),
  ];
}

function restart({ RestartPolicy: { Name, MaximumRetryCount } }: HostConfig): Setting[] {
  if (Name === '' || Name === 'no') return [];
  return one('restart', MaximumRetryCount > 0 ? `${Name}:${MaximumRetryCount}` : Name);
}

function securityOptions(config: HostConfig): string[] {
  const options = config.SecurityOpt ?? [];
  // The engine adds this one to each privileged container.
  const given = options.filter((option) => !(config.Privileged && option === 'label=disable'));
  const bare = config.MaskedPaths?.length === 0 && config.ReadonlyPaths?.length === 0;
  return bare && !config.Privileged ? [...given, 'systempaths=unconfined'] : given;
}

function resources(config: HostConfig): Setting[] {
  // Twice the memory is what a limit without --memory-swap comes with.
  const swap = config.MemorySwap === 2 * config.Memory ? 0 : config.MemorySwap;
  return [
    ...size('memory', config.Memory),
    ...size('memory-reservation', config.MemoryReservation),
    ...size('memory-swap', swap),
    ...one('memory-swappiness', config.MemorySwappiness === null ? '' : String(config.MemorySwappiness)),
    ...number('cpus', config.NanoCpus / 1e9),
    ...number('cpu-shares', config.CpuShares),
    ...number('cpu-period', config.CpuPeriod),
    ...number('cpu-quota', config.CpuQuota),
    ...number('cpu-rt-period', config.CpuRealtimePeriod),
    ...number('cpu-rt-runtime', config.CpuRealtimeRuntime),
    ...one('cpuset-cpus', config.CpusetCpus),
    ...one('cpuset-mems', config.CpusetMems),
    ...number('pids-limit', config.PidsLimit),
    ...number('oom-score-adj', config.OomScoreAdj),
    ...on('oom-kill-disable', config.OomKillDisable),
    ...number('blkio-weight', config.BlkioWeight),
    ...each(
      'blkio-weight-device',
      config.BlkioWeightDevice?.map(({ Path, Weight }) => `${Path}:${Weight}`),
    ),
    ...each('device-read-bps', throttles(config.BlkioDeviceReadBps)),
    ...each('device-write-bps', throttles(config.BlkioDeviceWriteBps)),
    ...each('device-read-iops', throttles(config.BlkioDeviceReadIOps)),
    ...each('device-write-iops', throttles(config.BlkioDeviceWriteIOps)),
    ...each('device', devices(config)),
    ...each('device-cgroup-rule', config.DeviceCgroupRules),
  ];
}

function throttles(devices: readonly ThrottleDevice[] | null): string[] | undefined {
  return devices?.map(({ Path, Rate }) => `${Path}:${Rate}`);
}

function devices({ Devices: list }: HostConfig): string[] | undefined {
  return list?.map(({ PathOnHost, PathInContainer, CgroupPermissions }) => {
    const inside = PathInContainer === PathOnHost ? '' : `:${PathInContainer}`;
    return `${PathOnHost}${inside}${CgroupPermissions === 'rwm' ? '' : `:${CgroupPermissions}`}`;
  });
}
