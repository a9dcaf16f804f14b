import { type Shape, shape } from '../../lib/template/index.ts';

// Docker's types of what is inspected, for templates: fields JSON may leave out or calls by another case, and structs.

const { text, number, flag, pointer, list, map, struct } = shape;

const healthcheck = struct({
  Test: list(),
  Interval: number,
  Timeout: number,
  StartPeriod: number,
  StartInterval: number,
  Retries: number,
});

/** The part of a configuration that an image can carry too. */
const imageConfig = {
  User: text,
  ExposedPorts: map(),
  Env: list(),
  Cmd: list(),
  Healthcheck: pointer(healthcheck),
  ArgsEscaped: flag,
  Volumes: map(),
  WorkingDir: text,
  Entrypoint: list(),
  OnBuild: list(),
  Labels: map(),
  StopSignal: text,
  Shell: list(),
};

const config = struct({
  ...imageConfig,
  NetworkDisabled: flag,
  MacAddress: text,
  StopTimeout: pointer(),
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
  LogConfig: struct({ Config: map() }),
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
  DriverOpts: map(),
  DNSNames: list(),
});

const containerShape = struct({
  ID: text,
  Args: list(),
  State: pointer(struct({ Health: pointer(struct({ Log: list(struct({})) })) })),
  ImageManifestDescriptor: pointer(),
  ExecIDs: list(),
  HostConfig: pointer(hostConfig),
  GraphDriver: struct({ Data: map() }),
  SizeRw: pointer(),
  SizeRootFs: pointer(),
  Mounts: list(struct({ Type: text, Name: text, Driver: text })),
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
  Config: pointer(struct(imageConfig)),
  Variant: text,
  OsVersion: text,
  VirtualSize: number,
  GraphDriver: struct({ Data: map() }),
  RootFS: struct({ Type: text, Layers: list() }),
  Metadata: struct({}),
  Descriptor: pointer(),
  Manifests: list(),
});

const networkShape = struct({
  ID: text,
  IPAM: struct({
    Options: map(),
    Config: list(struct({ Subnet: text, IPRange: text, Gateway: text })),
  }),
  ConfigFrom: struct({}),
  Containers: map(struct({})),
  Options: map(),
  Labels: map(),
  Peers: list(),
  Services: map(),
});

const volumeShape = struct({
  ClusterVolume: pointer(),
  CreatedAt: text,
  Labels: map(),
  Options: map(),
  Status: map(),
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
  Actor: struct({ Attributes: map() }),
  Scope: text,
  Time: number,
  TimeNano: number,
});
