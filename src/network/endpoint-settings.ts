import type { EndpointSettings } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { randomId } from '../lib/ids.ts';
import { macOf } from '../lib/mac-of.ts';
import { parseSubnet } from './addresses.ts';
import { bridgeOptions } from './bridge-options.ts';
import { deviceOf, sysctlsOf } from './endpoint-options.ts';
import type { Endpoint, Endpoints } from './endpoints.ts';
import type { Connection, ConnectRequest } from './networks.ts';
import { type BridgeRecord, builtinNames, type NetworkRecord, type NetworkRecords } from './records.ts';
import type { SandboxEndpoint, Sandboxes } from './sandbox.ts';

const askedFields = ['IPAMConfig', 'Links', 'Aliases', 'DriverOpts', 'GwPriority', 'MacAddress'];

/**
 * What a client can ask of an endpoint. Those that make a container anew send back all that inspect showed of the old one;
 * a MAC address made of the IP address it had then would be a second container's by now.
 */
export function askedSettings(settings: Partial<EndpointSettings>): Partial<EndpointSettings> {
  const { MacAddress, IPAddress = '' } = settings;
  const isMade = MacAddress === macOf(IPAddress);
  const isAsked = (field: string) => askedFields.includes(field) && !(field === 'MacAddress' && isMade);
  return Object.fromEntries(Object.entries(settings).filter(([field]) => isAsked(field)));
}

/** Where endpoints get their addresses and ids from. */
export interface EndpointParts {
  readonly records: NetworkRecords;
  readonly endpoints: Endpoints;
  readonly sandboxes: Sandboxes;
}

/** An endpoint on a network with a bridge; its address is taken until `Endpoints.free`. Throws Docker's texts. */
export function makeEndpoint(
  { records, endpoints, sandboxes }: EndpointParts,
  request: {
    readonly record: NetworkRecord;
    readonly settings: Partial<EndpointSettings>;
    /** Gets the address held for it. */
    readonly containerId?: string;
  },
): SandboxEndpoint {
  const { record, settings, containerId } = request;
  const { bridge } = record;
  if (bridge === undefined) throw new EngineError('internal', `network ${record.name} has no bridge`);
  records.assertUp(record);
  const address = endpoints.reserve(record, settings.IPAMConfig?.IPv4Address || undefined, containerId);
  return {
    networkId: record.id,
    endpointId: sandboxes.newEndpointId(),
    bridge: bridge.device,
    mtu: bridge.mtu,
    mac: settings.MacAddress || macOf(address),
    address,
    prefix: parseSubnet(bridge.subnet).prefix,
    gateway: record.internal ? '' : bridge.gateway,
    ...givenBy(record),
    ...chosenBy(settings),
  };
}

/** The endpoint that `settings` were made of. */
export function endpointFrom(
  settings: EndpointSettings,
  record: NetworkRecord,
  { device, mtu }: BridgeRecord,
): SandboxEndpoint {
  return {
    networkId: settings.NetworkID,
    endpointId: settings.EndpointID,
    bridge: device,
    mtu,
    mac: settings.MacAddress,
    address: settings.IPAddress,
    prefix: settings.IPPrefixLen,
    gateway: settings.Gateway,
    ...givenBy(record),
    ...chosenBy(settings),
  };
}

/** What the options of its network say. */
function givenBy({ options }: NetworkRecord) {
  const { icc, devicePrefix } = bridgeOptions(options);
  return { isIsolated: !icc, devicePrefix };
}

/** What only a client says of its endpoint. */
function chosenBy({ GwPriority, IPAMConfig, DriverOpts }: Partial<EndpointSettings>) {
  return {
    gatewayPriority: GwPriority ?? 0,
    linkLocal: IPAMConfig?.LinkLocalIPs ?? [],
    device: deviceOf(DriverOpts),
    sysctls: sysctlsOf(DriverOpts),
  };
}

/** The endpoints a stored connection stands for. */
export function storedEndpoints(
  containerId: string,
  containerName: string,
  connection: Connection,
): Endpoint[] {
  return Object.values(connection.endpoints).map((settings) => ({
    containerId,
    containerName,
    networkId: settings.NetworkID,
    endpointId: settings.EndpointID,
    mac: settings.MacAddress,
    address: settings.IPAddress,
    prefix: settings.IPPrefixLen,
    names: settings.DNSNames ?? [],
    links: settings.Links ?? [],
  }));
}

/** What a container is called. */
export type Naming = Pick<ConnectRequest, 'containerId' | 'containerName' | 'hostname'>;

interface SettingsInput {
  readonly request: Naming;
  readonly record: NetworkRecord;
  readonly settings: Partial<EndpointSettings>;
  /** `undefined` on the `none` network. */
  readonly endpoint: SandboxEndpoint | undefined;
}

/** What `inspect` shows of an endpoint. */
export function settingsOf({ request, record, settings, endpoint }: SettingsInput): EndpointSettings {
  const aliases = settings.Aliases ?? null;
  return {
    IPAMConfig: settings.IPAMConfig ?? null,
    Links: settings.Links ?? null,
    Aliases: aliases,
    MacAddress: endpoint?.mac ?? '',
    DriverOpts: settings.DriverOpts ?? null,
    GwPriority: settings.GwPriority ?? 0,
    NetworkID: record.id,
    EndpointID: endpoint?.endpointId ?? randomId(),
    Gateway: endpoint?.gateway ?? '',
    IPAddress: endpoint?.address ?? '',
    IPPrefixLen: endpoint?.prefix ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: hasNames(record) ? namesOf(request, aliases ?? []) : null,
  };
}

/** A container's endpoint after the container got another name. */
export function renamedSettings(request: Naming, settings: EndpointSettings): EndpointSettings {
  if (settings.DNSNames === null) return settings;
  return { ...settings, DNSNames: namesOf(request, settings.Aliases ?? []) };
}

/** What others on a network call a container, its name first. */
function namesOf({ containerName, containerId, hostname }: Naming, aliases: readonly string[]): string[] {
  const names = [containerName, ...aliases, containerId.slice(0, 12), ...(hostname ? [hostname] : [])];
  return [...new Set(names)];
}

/** Only on user-defined networks do containers know each other by name. */
export function hasNames(record: NetworkRecord): boolean {
  return !builtinNames.includes(record.name);
}
