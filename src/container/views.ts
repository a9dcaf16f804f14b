import { join } from 'node:path';
import type {
  ContainerInspect,
  ContainerNetworkSettings,
  ContainerPort,
  ContainerState,
  ContainerSummary,
  EndpointSettings,
  MountPoint,
  PortMap,
} from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import type { Networks } from '../network/index.ts';
import type { SnapshotPaths } from '../snapshot/index.ts';
import { linksView } from './links.ts';
import { logDriver } from './logs/drivers.ts';
import {
  type Container,
  type ContainerMount,
  type ContainerRecord,
  type RunState,
  statusOf,
  zeroTime,
} from './record.ts';
import { statusText } from './status-text.ts';
import type { ContainerStore } from './store.ts';

/** Sizes as `docker ps -s` shows them, bytes. */
export interface ContainerSizes {
  readonly SizeRw: number;
  readonly SizeRootFs: number;
}

/** Where a container's files are on the host. */
export interface ContainerPaths {
  readonly directory: string;
  /** Empty once they are removed. */
  readonly snapshot: Partial<SnapshotPaths>;
}

/** The command line: entrypoint, then command. */
export function commandOf({ config }: ContainerRecord): string[] {
  return [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
}

export function stateView(state: RunState): ContainerState {
  return {
    Status: statusOf(state),
    Running: state.running,
    Paused: state.paused,
    Restarting: state.restarting,
    OOMKilled: state.oomKilled,
    Dead: state.dead,
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(state.health === undefined ? {} : { Health: state.health }),
  };
}

export function inspectView(
  container: Container,
  context: {
    readonly paths: ContainerPaths;
    readonly sizes?: ContainerSizes;
    readonly execIds: readonly string[];
    /** `undefined` where the host has no AppArmor. */
    readonly apparmorProfile: string | undefined;
    readonly networkIds: NetworkIds;
    readonly store: Pick<ContainerStore, 'get'>;
  },
): ContainerInspect {
  const { record, state } = container;
  const [path = '', ...args] = commandOf(record);
  const file = (name: string) => join(context.paths.directory, name);
  return {
    Id: record.id,
    Created: record.created,
    Path: path,
    Args: args,
    State: stateView(state),
    Image: record.imageId,
    ResolvConfPath: file('resolv.conf'),
    HostnamePath: file('hostname'),
    HostsPath: file('hosts'),
    LogPath: logDriver(record.hostConfig.LogConfig.Type)?.showsPath === true ? file('container.log') : '',
    Name: record.name,
    RestartCount: state.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: context.apparmorProfile ?? '',
    ExecIDs: context.execIds.length === 0 ? null : context.execIds,
    HostConfig: linksView(record, context.store),
    GraphDriver: { Name: 'overlay2', Data: { ...context.paths.snapshot } },
    ...context.sizes,
    Mounts: record.mounts.map(mountView),
    Config: configView(record),
    NetworkSettings: networkView(container, context.networkIds),
  };
}

/** Ansible compares the MAC address here with the one it asked for. */
function configView({ config, hostConfig, endpoints }: ContainerRecord): ContainerInspect['Config'] {
  const mode = hostConfig.NetworkMode;
  const { MacAddress } = endpoints[mode] ?? (mode === 'default' ? endpoints['bridge'] : undefined) ?? {};
  return MacAddress ? { ...config, MacAddress } : config;
}

export function summaryView(
  container: Container,
  context: { readonly image: string; readonly sizes?: ContainerSizes; readonly networkIds: NetworkIds },
): ContainerSummary {
  const { record, state } = container;
  return {
    Id: record.id,
    Names: [record.name],
    Image: context.image,
    ImageID: record.imageId,
    Command: commandOf(record).map(quoteWord).join(' '),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: portsView(container),
    ...context.sizes,
    Labels: record.config.Labels,
    State: statusOf(state),
    Status: statusText(stateView(state), new Date()),
    HostConfig: {
      NetworkMode: record.hostConfig.NetworkMode,
      ...(record.hostConfig.Annotations === undefined ? {} : { Annotations: record.hostConfig.Annotations }),
    },
    NetworkSettings: { Networks: endpointsView(container, context.networkIds) },
    Mounts: record.mounts.map(mountView),
  };
}

function mountView(mount: ContainerMount): MountPoint {
  return {
    Type: mount.Type,
    ...(mount.Name === undefined ? {} : { Name: mount.Name }),
    Source: mount.Source,
    Destination: mount.Destination,
    ...(mount.Driver === undefined ? {} : { Driver: mount.Driver }),
    Mode: mount.Mode,
    RW: mount.RW,
    Propagation: mount.Propagation,
  };
}

/** Docker shows a word with blanks in single quotes. */
function quoteWord(word: string): string {
  return word.includes(' ') ? `'${word}'` : word;
}

function portsView(container: Container): ContainerPort[] {
  return Object.entries(visiblePorts(container)).flatMap(([key, bindings]) => {
    const [number = '', type = 'tcp'] = key.split('/');
    const port = { PrivatePort: Number(number), Type: type as ContainerPort['Type'] };
    if (bindings === null || bindings.length === 0) return [port];
    return bindings.map((binding) => ({
      IP: binding.HostIp || '0.0.0.0',
      ...port,
      PublicPort: Number(binding.HostPort),
    }));
  });
}

const unconnected: EndpointSettings = {
  IPAMConfig: null,
  Links: null,
  Aliases: null,
  MacAddress: '',
  DriverOpts: null,
  GwPriority: 0,
  NetworkID: '',
  EndpointID: '',
  Gateway: '',
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  DNSNames: null,
};

/** The id of a network by its name (or id); `undefined` where there is none. */
export type NetworkIds = (network: string) => string | undefined;

/** Looks each network up once. */
export function networkIdsOf(networks: Pick<Networks, 'inspect'>): NetworkIds {
  const ids = new Map<string, string | undefined>();
  return (network) => {
    if (!ids.has(network)) ids.set(network, idOfNetwork(networks, network));
    return ids.get(network);
  };
}

function idOfNetwork(networks: Pick<Networks, 'inspect'>, network: string): string | undefined {
  try {
    return networks.inspect(network).Id;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

/** The networks a container is on, or will be on when it starts. */
export function endpointsView(
  { record, state }: Container,
  networkIds: NetworkIds = () => undefined,
): Record<string, EndpointSettings> {
  if (state.connection !== undefined) return { ...state.connection.endpoints };
  const mode = record.hostConfig.NetworkMode;
  if (mode.startsWith('container:') || record.unconnected === true) return {};
  const asked = Object.keys(record.endpoints);
  const names = asked.length > 0 ? asked : [mode];
  return Object.fromEntries(
    names.map((given) => {
      const name = given === 'default' ? 'bridge' : given;
      // Docker looks networks up at the first start.
      const id = state.startedAt === zeroTime ? undefined : networkIds(name);
      return [
        name,
        { ...unconnected, ...record.endpoints[given], ...(id === undefined ? {} : { NetworkID: id }) },
      ];
    }),
  );
}

function networkView(container: Container, networkIds: NetworkIds): ContainerNetworkSettings {
  const { connection } = container.state;
  const bridge = connection?.endpoints['bridge'];
  return {
    Bridge: '',
    SandboxID: connection?.sandboxId ?? '',
    SandboxKey: connection?.namespacePath ?? '',
    Ports: visiblePorts(container),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: '',
    MacAddress: bridge?.MacAddress ?? '',
    Networks: endpointsView(container, networkIds),
  };
}

/** Published ports and, as null, those only exposed; none where there is no network to publish them on. */
function visiblePorts({ record, state: { running, connection } }: Container): PortMap {
  if (!running || connection === undefined) return {};
  if (Object.keys(connection.endpoints).every((network) => network === 'none')) return {};
  const exposed = Object.keys(record.config.ExposedPorts ?? {}).map((key) => [key, null] as const);
  return { ...Object.fromEntries(exposed), ...connection.ports };
}
