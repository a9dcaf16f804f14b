import { type Kind, labels, type StructKind, strings } from './json-fields.ts';

// The fields of Docker's bodies for containers. [moby api/types/container, mount, network]

/** A Go map of empty structs: only its keys count. */
export const set: Kind = { mapOf: { struct: 'struct {}', fields: {} } };

const healthcheck: StructKind = {
  struct: 'HealthConfig',
  fields: {
    Test: strings,
    Interval: 'integer',
    Timeout: 'integer',
    StartPeriod: 'integer',
    StartInterval: 'integer',
    Retries: 'integer',
  },
};

export const portMap: Kind = {
  mapOf: {
    listOf: {
      struct: 'PortBinding',
      fields: { HostIp: 'string', HostPort: 'string' },
      always: { HostIp: '', HostPort: '' },
    },
  },
};

const mount: StructKind = {
  struct: 'Mount',
  fields: {
    Type: 'string',
    Source: 'string',
    Target: 'string',
    ReadOnly: 'boolean',
    Consistency: 'string',
    BindOptions: {
      struct: 'BindOptions',
      fields: {
        Propagation: 'string',
        NonRecursive: 'boolean',
        CreateMountpoint: 'boolean',
        ReadOnlyNonRecursive: 'boolean',
        ReadOnlyForceRecursive: 'boolean',
      },
    },
    VolumeOptions: {
      struct: 'VolumeOptions',
      fields: {
        NoCopy: 'boolean',
        Labels: labels,
        Subpath: 'string',
        DriverConfig: { struct: 'Driver', fields: { Name: 'string', Options: labels } },
      },
    },
    ImageOptions: { struct: 'ImageOptions', fields: { Subpath: 'string' } },
    TmpfsOptions: {
      struct: 'TmpfsOptions',
      fields: { SizeBytes: 'integer', Mode: 'integer', Options: { listOf: strings } },
    },
    ClusterOptions: { struct: 'ClusterOptions', fields: {} },
  },
  always: { Type: '', Target: '' },
};

export const mounts: Kind = { listOf: mount };

const ulimit: StructKind = {
  struct: 'Ulimit',
  fields: { Name: 'string', Soft: 'integer', Hard: 'integer' },
  always: { Name: '', Soft: 0, Hard: 0 },
};

const deviceMapping: StructKind = {
  struct: 'DeviceMapping',
  fields: { PathOnHost: 'string', PathInContainer: 'string', CgroupPermissions: 'string' },
  always: { PathOnHost: '', PathInContainer: '', CgroupPermissions: '' },
};

const deviceRequest: StructKind = {
  struct: 'DeviceRequest',
  fields: {
    Driver: 'string',
    Count: 'integer',
    DeviceIDs: strings,
    Capabilities: { listOf: strings },
    Options: labels,
  },
};

const weightDevice: StructKind = {
  struct: 'WeightDevice',
  fields: { Path: 'string', Weight: 'integer' },
  always: { Path: '', Weight: 0 },
};

const throttles: Kind = {
  listOf: {
    struct: 'ThrottleDevice',
    fields: { Path: 'string', Rate: 'integer' },
    always: { Path: '', Rate: 0 },
  },
};

const restartPolicy: StructKind = {
  struct: 'RestartPolicy',
  fields: { Name: 'string', MaximumRetryCount: 'integer' },
  always: { Name: '', MaximumRetryCount: 0 },
};

const logConfig: StructKind = {
  struct: 'LogConfig',
  fields: { Type: 'string', Config: labels },
  always: { Type: '', Config: {} },
};

export const endpointSettings: StructKind = {
  struct: 'EndpointSettings',
  fields: {
    IPAMConfig: {
      struct: 'EndpointIPAMConfig',
      fields: { IPv4Address: 'string', IPv6Address: 'string', LinkLocalIPs: strings },
    },
    Links: strings,
    Aliases: strings,
    MacAddress: 'string',
    DriverOpts: labels,
    GwPriority: 'integer',
    NetworkID: 'string',
    EndpointID: 'string',
    Gateway: 'string',
    IPAddress: 'string',
    IPPrefixLen: 'integer',
    IPv6Gateway: 'string',
    GlobalIPv6Address: 'string',
    GlobalIPv6PrefixLen: 'integer',
    DNSNames: strings,
  },
};

const networkingConfig: StructKind = {
  struct: 'NetworkingConfig',
  fields: { EndpointsConfig: { mapOf: endpointSettings } },
};

export const hostConfig: StructKind = {
  struct: 'HostConfig',
  fields: {
    CpuShares: 'integer',
    Memory: 'integer',
    NanoCpus: 'integer',
    CgroupParent: 'string',
    BlkioWeight: 'integer',
    BlkioWeightDevice: { listOf: weightDevice },
    BlkioDeviceReadBps: throttles,
    BlkioDeviceWriteBps: throttles,
    BlkioDeviceReadIOps: throttles,
    BlkioDeviceWriteIOps: throttles,
    CpuPeriod: 'integer',
    CpuQuota: 'integer',
    CpuRealtimePeriod: 'integer',
    CpuRealtimeRuntime: 'integer',
    CpusetCpus: 'string',
    CpusetMems: 'string',
    Devices: { listOf: deviceMapping },
    DeviceCgroupRules: strings,
    DeviceRequests: { listOf: deviceRequest },
    KernelMemory: 'integer',
    KernelMemoryTCP: 'integer',
    MemoryReservation: 'integer',
    MemorySwap: 'integer',
    MemorySwappiness: 'integer',
    OomKillDisable: 'boolean',
    PidsLimit: 'integer',
    Ulimits: { listOf: ulimit },
    Binds: strings,
    ContainerIDFile: 'string',
    LogConfig: logConfig,
    NetworkMode: 'string',
    PortBindings: portMap,
    RestartPolicy: restartPolicy,
    AutoRemove: 'boolean',
    VolumeDriver: 'string',
    VolumesFrom: strings,
    Mounts: mounts,
    ConsoleSize: { listOf: 'integer' },
    Annotations: labels,
    CapAdd: 'command',
    CapDrop: 'command',
    CgroupnsMode: 'string',
    Dns: strings,
    DnsOptions: strings,
    DnsSearch: strings,
    ExtraHosts: strings,
    GroupAdd: strings,
    IpcMode: 'string',
    Cgroup: 'string',
    Links: strings,
    OomScoreAdj: 'integer',
    PidMode: 'string',
    Privileged: 'boolean',
    PublishAllPorts: 'boolean',
    ReadonlyRootfs: 'boolean',
    SecurityOpt: strings,
    StorageOpt: labels,
    Tmpfs: labels,
    UTSMode: 'string',
    UsernsMode: 'string',
    ShmSize: 'integer',
    Sysctls: labels,
    Runtime: 'string',
    Isolation: 'string',
    MaskedPaths: strings,
    ReadonlyPaths: strings,
    Init: 'boolean',
    CpuCount: 'integer',
    CpuPercent: 'integer',
    IOMaximumIOps: 'integer',
    IOMaximumBandwidth: 'integer',
  },
};

export const config: StructKind = {
  struct: 'Config',
  fields: {
    Hostname: 'string',
    Domainname: 'string',
    User: 'string',
    AttachStdin: 'boolean',
    AttachStdout: 'boolean',
    AttachStderr: 'boolean',
    ExposedPorts: set,
    Tty: 'boolean',
    OpenStdin: 'boolean',
    StdinOnce: 'boolean',
    Env: strings,
    Cmd: 'command',
    Healthcheck: healthcheck,
    ArgsEscaped: 'boolean',
    Image: 'string',
    Volumes: set,
    WorkingDir: 'string',
    Entrypoint: 'command',
    NetworkDisabled: 'boolean',
    MacAddress: 'string',
    OnBuild: strings,
    Labels: labels,
    StopSignal: 'string',
    StopTimeout: 'integer',
    Shell: 'command',
    HostConfig: hostConfig,
    NetworkingConfig: networkingConfig,
  },
};

export const execConfig: StructKind = {
  struct: 'ExecConfig',
  fields: {
    AttachStdin: 'boolean',
    AttachStdout: 'boolean',
    AttachStderr: 'boolean',
    Tty: 'boolean',
    ConsoleSize: { listOf: 'integer' },
    DetachKeys: 'string',
    Cmd: 'command',
    Env: strings,
    Privileged: 'boolean',
    User: 'string',
    WorkingDir: 'string',
  },
};
