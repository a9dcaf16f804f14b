import { createHash } from 'node:crypto';
import { machine } from 'node:os';
import type { Builder } from '../build/index.ts';
import { apiVersion, dockerVersion, type EngineConfig, gantryVersion } from '../config/index.ts';
import { type Containers, type HostFacts, logDriverNames } from '../container/index.ts';
import type { Images } from '../image/index.ts';
import { redacted } from '../lib/http-proxy.ts';
import type { Metadata } from '../metadata/index.ts';
import { defaultDomain } from '../oci/index.ts';
import type { Volumes } from '../volume/index.ts';
import { readDiskUsage } from './disk-usage.ts';
import type { System } from './engine.ts';
import { eventStream } from './event-stream.ts';
import { type HostInfo, readHostInfo } from './host-info.ts';

export interface SystemParts {
  readonly config: EngineConfig;
  readonly metadata: Metadata;
  readonly containers: Containers;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly builder: Builder;
  readonly host: HostFacts;
  readonly runtimeInfo: {
    readonly version: string;
    readonly commit: string;
    readonly monitorVersion: string;
  };
}

const noFilters = new Map<string, readonly string[]>();

/** The engine's view of itself: facts for `info` and `version`, sizes for `df`, the journal as events. */
export function createSystem(parts: SystemParts): System {
  return {
    info: async () => readInfo(parts),
    version: async () => versionOf(parts),
    diskUsage: async (types, signal) => readDiskUsage(parts, types, signal),
    events: (query, signal) => eventStream(parts.metadata.journal, query, signal),
  };
}

async function readInfo(parts: SystemParts): Promise<object> {
  const { config, host, runtimeInfo } = parts;
  const [containers, about] = await Promise.all([
    parts.containers.list({ all: true, size: false, filters: noFilters }),
    readHostInfo(host, config.root),
  ]);
  const running = containers.filter(({ State }) => State === 'running').length;
  const paused = containers.filter(({ State }) => State === 'paused').length;
  return {
    ID: engineId(host.hostname, config.root),
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running - paused,
    Images: parts.images.list({ all: true, sharedSize: false, filters: noFilters }).length,
    Driver: 'overlay2',
    DriverStatus: [
      ['Backing Filesystem', about.backingFilesystem],
      ['Supports d_type', 'true'],
      ['Using metacopy', 'false'],
      ['Native Overlay Diff', 'true'],
      ['userxattr', 'false'],
    ],
    DockerRootDir: config.root,
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'none', 'null'],
      Authorization: [],
      Log: logDriverNames,
    },
    ...limits(host, about),
    IPv4Forwarding: about.ipv4Forwarding,
    Debug: config.debug,
    NFd: about.openFiles,
    NGoroutines: process.getActiveResourcesInfo().length,
    SystemTime: new Date().toISOString(),
    LoggingDriver: config.logging.driver,
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(host.cgroupVersion),
    NEventsListener: 0,
    KernelVersion: host.kernelVersion,
    OperatingSystem: about.operatingSystem,
    OSVersion: about.osVersion,
    OSType: 'linux',
    Architecture: machine(),
    NCPU: host.cpuCount,
    MemTotal: host.memoryTotal,
    IndexServerAddress: `https://index.${defaultDomain}/v1/`,
    RegistryConfig: registryConfig(config),
    GenericResources: [],
    HttpProxy: redacted(config.proxies.httpProxy),
    HttpsProxy: redacted(config.proxies.httpsProxy),
    NoProxy: config.proxies.noProxy,
    Name: host.hostname,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: dockerVersion,
    Runtimes: { [config.runtime]: { path: config.runtime } },
    DefaultRuntime: config.runtime,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: config.shutdown === 'keep',
    Isolation: '',
    InitBinary: host.initPath ?? '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: runtimeInfo.commit || runtimeInfo.version },
    InitCommit: { ID: '' },
    SecurityOptions: securityOptions(host, about),
    FirewallBackend: { Driver: 'nftables' },
    CDISpecDirs: [],
    Warnings: warnings(host, about),
  };
}

function registryConfig({ registries }: EngineConfig): object {
  const { insecureRegistries, registryMirrors: Mirrors } = registries;
  const isNetwork = (one: string) => /^[0-9a-f.:]+\/\d+$/i.test(one);
  const insecure = insecureRegistries.filter((one) => !isNetwork(one));
  const indexes: Record<string, object> = {
    [defaultDomain]: { Name: defaultDomain, Mirrors, Secure: true, Official: true },
  };
  for (const Name of insecure) indexes[Name] = { Name, Mirrors: [], Secure: false, Official: false };
  return {
    AllowNondistributableArtifactsCIDRs: null,
    AllowNondistributableArtifactsHostnames: null,
    InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8', ...insecureRegistries.filter(isNetwork)],
    IndexConfigs: indexes,
    Mirrors,
  };
}

/** On v2 each controller brings all its limits, but for some that only v1 had. */
function limits(host: HostFacts, { controllers }: HostInfo): Readonly<Record<string, boolean>> {
  const cpu = controllers.has('cpu');
  return {
    MemoryLimit: controllers.has('memory'),
    SwapLimit: host.swapLimit,
    CpuCfsPeriod: cpu,
    CpuCfsQuota: cpu,
    CPUShares: cpu,
    CPUSet: controllers.has('cpuset'),
    PidsLimit: controllers.has('pids'),
    OomKillDisable: host.oomKillDisable,
  };
}

function securityOptions(host: HostFacts, about: HostInfo): readonly string[] {
  return [
    ...(host.apparmor.enabled ? ['name=apparmor'] : []),
    ...(host.seccomp ? ['name=seccomp,profile=builtin'] : []),
    ...(about.cgroupNamespaces ? ['name=cgroupns'] : []),
  ];
}

function warnings(host: HostFacts, about: HostInfo): readonly string[] {
  const can = limits(host, about);
  return [
    ...(can['MemoryLimit'] ? [] : ['WARNING: No memory limit support']),
    ...(can['SwapLimit'] ? [] : ['WARNING: No swap limit support']),
    ...(can['CPUShares'] ? [] : ['WARNING: No cpu shares support']),
    ...(can['CPUSet'] ? [] : ['WARNING: No cpuset support']),
    ...(about.ipv4Forwarding ? [] : ['WARNING: IPv4 forwarding is disabled']),
  ];
}

/** A UUID that stays the same as long as host and root do. */
function engineId(hostname: string, root: string): string {
  const hex = createHash('sha256').update(`${hostname}\0${root}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}

function versionOf({ host, runtimeInfo, config }: SystemParts): object {
  const engine = {
    ApiVersion: apiVersion.newest,
    MinAPIVersion: apiVersion.oldest,
    GitCommit: `gantry-${gantryVersion}`,
    // The clients' word for what the engine is written in.
    GoVersion: `node${process.versions.node}`,
    Os: 'linux',
    Arch: host.architecture,
    KernelVersion: host.kernelVersion,
    BuildTime: '',
  };
  return {
    Platform: { Name: `Gantry ${gantryVersion}` },
    Version: dockerVersion,
    ...engine,
    Components: [
      { Name: 'Engine', Version: dockerVersion, Details: { ...engine, Experimental: 'false' } },
      { Name: config.runtime, Version: runtimeInfo.version, Details: { GitCommit: runtimeInfo.commit } },
      { Name: 'conmon', Version: runtimeInfo.monitorVersion, Details: { GitCommit: '' } },
    ],
  };
}
