import { type Shape, shape } from '../../lib/template/index.ts';

// Docker's types of what is inspected, for templates: fields JSON may leave out or calls by another case, and structs.

const { any, text, number, flag, duration, time, pointer, list, map, struct, inJson } = shape;

/** Go's way to write a set: a map of empty structs. */
const set = map(struct({}));

const healthcheck = struct({
  Test: list(),
  Interval: duration,
  Timeout: duration,
  StartPeriod: duration,
  StartInterval: duration,
  Retries: number,
});

const config = struct({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: set,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: list(),
  Cmd: list(),
  Healthcheck: pointer(healthcheck),
  ArgsEscaped: flag,
  Image: text,
  Volumes: set,
  WorkingDir: text,
  Entrypoint: list(),
  NetworkDisabled: flag,
  MacAddress: text,
  OnBuild: list(),
  Labels: map(),
  StopSignal: text,
  StopTimeout: pointer(),
  Shell: list(),
});

const imageConfig = struct({
  User: text,
  ExposedPorts: set,
  Env: list(),
  Entrypoint: list(),
  Cmd: list(),
  Volumes: set,
  WorkingDir: text,
  Labels: map(),
  StopSignal: text,
  ArgsEscaped: flag,
  Healthcheck: pointer(healthcheck),
  OnBuild: list(),
  Shell: list(),
});

const mount = struct({
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: text,
  BindOptions: pointer(
    struct({
      Propagation: text,
      NonRecursive: flag,
      CreateMountpoint: flag,
      ReadOnlyNonRecursive: flag,
      ReadOnlyForceRecursive: flag,
    }),
  ),
  VolumeOptions: pointer(
    struct({
      NoCopy: flag,
      Labels: map(),
      Subpath: text,
      DriverConfig: pointer(struct({ Name: text, Options: map() })),
    }),
  ),
  ImageOptions: pointer(struct({ Subpath: text })),
  TmpfsOptions: pointer(struct({ SizeBytes: number, Mode: number, Options: list() })),
  ClusterOptions: pointer(),
});

const ports = map(list(struct({ HostIP: text, HostPort: text })));
const throttles = list(struct({}));

const hostConfig = struct({
  Binds: list(),
  LogConfig: struct({ Type: text, Config: map() }),
  PortBindings: ports,
  RestartPolicy: struct({}),
  VolumesFrom: list(),
  Annotations: map(),
  CapAdd: list(),
  CapDrop: list(),
  DNS: list(),
  DNSOptions: list(),
  DNSSearch: list(),
  ExtraHosts: list(),
  GroupAdd: list(),
  Links: list(),
  SecurityOpt: list(),
  StorageOpt: map(),
  Tmpfs: map(),
  Sysctls: map(),
  CPUShares: number,
  NanoCPUs: number,
  BlkioWeightDevice: throttles,
  BlkioDeviceReadBps: throttles,
  BlkioDeviceWriteBps: throttles,
  BlkioDeviceReadIOps: throttles,
  BlkioDeviceWriteIOps: throttles,
  CPUPeriod: number,
  CPUQuota: number,
  CPURealtimePeriod: number,
  CPURealtimeRuntime: number,
  Devices: list(struct({})),
  DeviceCgroupRules: list(),
  DeviceRequests: list(),
  KernelMemory: number,
  KernelMemoryTCP: number,
  Ulimits: list(struct({})),
  CPUCount: number,
  CPUPercent: number,
  Mounts: list(mount),
  MaskedPaths: list(),
  ReadonlyPaths: list(),
  Init: pointer(),
});

const endpoint = struct({
  IPAMConfig: pointer(struct({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: list() })),
  Links: list(),
  Aliases: list(),
  MacAddress: text,
  DriverOpts: map(),
  GwPriority: number,
  NetworkID: text,
  EndpointID: text,
  Gateway: text,
  IPAddress: text,
  IPPrefixLen: number,
  IPv6Gateway: text,
  GlobalIPv6Address: text,
  GlobalIPv6PrefixLen: number,
  DNSNames: list(),
});

const state = struct({
  Status: text,
  Running: flag,
  Paused: flag,
  Restarting: flag,
  OOMKilled: flag,
  Dead: flag,
  Pid: number,
  ExitCode: number,
  Error: text,
  StartedAt: text,
  FinishedAt: text,
  Health: pointer(
    struct({
      Status: text,
      FailingStreak: number,
      Log: list(struct({ Start: time, End: time, ExitCode: number, Output: text })),
    }),
  ),
});

const mountPoint = struct({
  Type: text,
  Name: text,
  Source: text,
  Destination: text,
  Driver: text,
  Mode: text,
  RW: flag,
  Propagation: text,
});

const containerShape = struct({
  ID: text,
  Args: list(),
  State: pointer(state),
  ImageManifestDescriptor: pointer(),
  ExecIDs: list(),
  HostConfig: pointer(hostConfig),
  GraphDriver: struct({ Data: map() }),
  SizeRw: pointer(),
  SizeRootFs: pointer(),
  Mounts: list(mountPoint),
  Config: pointer(config),
  NetworkSettings: pointer(
    struct({
      Ports: ports,
      SecondaryIPAddresses: list(),
      SecondaryIPv6Addresses: list(),
      Networks: map(pointer(endpoint)),
    }),
  ),
});

const imageShape = struct({
  ID: text,
  RepoTags: list(),
  RepoDigests: list(),
  Created: text,
  Config: pointer(imageConfig),
  Variant: text,
  OsVersion: text,
  VirtualSize: number,
  GraphDriver: struct({ Data: map() }),
  RootFS: struct({ Type: text, Layers: list() }),
  Metadata: struct({ LastTagTime: time }),
  Descriptor: pointer(),
  Manifests: list(),
});

const pool = struct({
  Subnet: text,
  IPRange: text,
  Gateway: text,
  AuxAddress: inJson('AuxiliaryAddresses', map()),
});

const networkShape = struct({
  Name: text,
  ID: text,
  Created: time,
  Scope: text,
  Driver: text,
  EnableIPv4: flag,
  EnableIPv6: flag,
  IPAM: struct({ Driver: text, Options: map(), Config: list(pool) }),
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigFrom: struct({}),
  ConfigOnly: flag,
  Containers: map(struct({})),
  Options: map(),
  Labels: map(),
  Peers: list(),
  Services: map(struct({})),
});

const volumeShape = struct({
  ClusterVolume: pointer(),
  CreatedAt: text,
  Driver: text,
  Labels: map(),
  Mountpoint: text,
  Name: text,
  Options: map(),
  Scope: text,
  Status: map(any),
  UsageData: pointer(struct({})),
});

/** Of each kind of object that can be inspected. */
export const inspectShapes = {
  container: containerShape,
  image: imageShape,
  network: networkShape,
  volume: volumeShape,
} as const satisfies Readonly<Record<string, Shape>>;

export const eventShape = struct({
  Status: text,
  ID: text,
  From: text,
  Type: text,
  Action: text,
  Actor: struct({ ID: text, Attributes: map() }),
  Scope: text,
  Time: number,
  TimeNano: number,
});
