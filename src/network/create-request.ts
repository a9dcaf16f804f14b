import type { NetworkCreateRequest } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { randomId } from '../lib/ids.ts';
import { contains, formatSubnet, overlaps, parseSubnet, type Subnet, toAddress } from './addresses.ts';
import { bridgeOptions, checkBridgeOptions } from './bridge-options.ts';
import { type BridgeRecord, builtinNames, type NetworkRecord, newRecord } from './records.ts';

/** Where the range of a new network comes from. */
export interface SubnetChoice {
  /** Those of the other networks: all that a user's own choice must not overlap. */
  readonly pools: readonly Subnet[];
  /** For a user who names none. */
  readonly choose: () => Subnet;
}

/** The names that bridges may get. */
export interface BridgeNames {
  /** The names of bridges with their networks, and those of the host's other links. */
  readonly taken: ReadonlyMap<string, NetworkRecord | undefined>;
  /** The name that goes with a network's id. */
  readonly of: (networkId: string) => string;
}

/** Checks the request's own words, before anything is looked up or made. Throws Docker's texts. */
export function checkCreateRequest(request: NetworkCreateRequest): string {
  const name = request.Name ?? '';
  if (name.trim() === '') throw new EngineError('invalidArgument', 'network name cannot be empty');
  if (builtinNames.includes(name) || name === 'default' || name === 'container') {
    throw new EngineError('forbidden', `operation is not permitted on predefined ${name} network`);
  }
  const driver = request.Driver ?? 'bridge';
  if (driver === 'host' || driver === 'null') {
    throw new EngineError('forbidden', `only one instance of "${driver}" network is allowed`);
  }
  if (!['bridge', '', 'default'].includes(driver)) throw noPlugin(driver);
  const template = request.ConfigFrom?.Network ?? '';
  if (template !== '') {
    throw new EngineError('notFound', `configuration network "${template}" does not exist`);
  }
  const ipamDriver = request.IPAM?.Driver ?? '';
  if (!['', 'default'].includes(ipamDriver)) throw noPlugin(ipamDriver);
  if (request.EnableIPv4 === false) {
    throw new EngineError('notImplemented', 'networks without IPv4 are not supported');
  }
  if (request.EnableIPv6 === true) {
    // As dockerd on a host without IPv6: kind, for one, then does without.
    throw new EngineError(
      'notImplemented',
      `Cannot read IPv6 setup for bridge ${name}: IPv6 networks are not supported`,
    );
  }
  if (request.ConfigOnly === true || request.Ingress === true || request.Scope === 'swarm') {
    throw new EngineError('notImplemented', 'config-only, ingress and swarm networks are not supported');
  }
  checkBridgeOptions(request.Options ?? {});
  return name;
}

function noPlugin(driver: string): EngineError {
  return new EngineError(
    'notFound',
    `could not find plugin ${driver} in v1 plugin registry: plugin not found`,
  );
}

/** The record of a new bridge network. */
export function recordOf(
  request: NetworkCreateRequest,
  subnets: SubnetChoice,
  names: BridgeNames,
): NetworkRecord {
  const id = freeId(names);
  const record = newRecord(checkCreateRequest(request), 'bridge', {
    id,
    options: request.Options ?? {},
    labels: request.Labels ?? {},
    internal: request.Internal ?? false,
    attachable: request.Attachable ?? false,
    ...(request.IPAM?.Options ? { ipamOptions: request.IPAM.Options } : {}),
  });
  const { device } = bridgeOptions(record.options);
  if (device !== undefined) assertFree(device, record, names);
  return { ...record, bridge: { device: device ?? names.of(id), ...addressing(request, subnets) } };
}

function assertFree(device: string, { id, name }: NetworkRecord, { taken }: BridgeNames): void {
  if (!taken.has(device)) return;
  const other = taken.get(device);
  if (other === undefined) {
    throw new EngineError(
      'conflict',
      `cannot create network ${name}: the host has an interface ${device} of its own`,
    );
  }
  throw new EngineError(
    'forbidden',
    `cannot create network ${id} (${device}): conflicts with network ${other.id} (${device}): networks have same bridge name`,
  );
}

/** A bridge's name has only a few digits of its network's id. */
function freeId({ taken, of }: BridgeNames): string {
  for (;;) {
    const id = randomId();
    if (!taken.has(of(id))) return id;
  }
}

function addressing(request: NetworkCreateRequest, subnets: SubnetChoice): Omit<BridgeRecord, 'device'> {
  const pools = (request.IPAM?.Config ?? []).filter((pool) => !(pool.Subnet ?? '').includes(':'));
  const [pool = {}] = pools;
  if (pools.length > 1) {
    throw new EngineError('invalidArgument', "bridge driver doesn't support multiple subnets");
  }
  const subnet = pool.Subnet ? parseSubnet(pool.Subnet) : subnets.choose();
  if (subnet.prefix > 30)
    throw new EngineError(
      'invalidArgument',
      `invalid subnet ${pool.Subnet ?? ''}: it has no room for containers`,
    );
  if (subnets.pools.some((range) => overlaps(range, subnet))) {
    throw new EngineError(
      'forbidden',
      'invalid pool request: Pool overlaps with other one on this address space',
    );
  }
  const range = pool.IPRange ? parseSubnet(pool.IPRange) : undefined;
  if (range !== undefined && (range.prefix < subnet.prefix || !overlaps(range, subnet))) {
    throw new EngineError(
      'invalidArgument',
      `invalid network config:\ninvalid ip-range ${pool.IPRange ?? ''}: subnet ${formatSubnet(subnet)} does not contain it`,
    );
  }
  const gateway = pool.Gateway
    ? pool.Gateway
    : toAddress((range ?? subnet).base + (range === undefined || range.base === subnet.base ? 1 : 0));
  if (!contains(subnet, gateway)) {
    throw new EngineError(
      'invalidArgument',
      `invalid network config:\ninvalid gateway ${gateway}: parent subnet is ${formatSubnet(subnet)}`,
    );
  }
  return {
    subnet: formatSubnet(subnet),
    gateway,
    ...(pool.Subnet && !pool.Gateway ? { gatewayChosen: true } : {}),
    mtu: bridgeOptions(request.Options ?? {}).mtu,
    ...(range === undefined ? {} : { range: formatSubnet(range) }),
    ...(pool.AuxiliaryAddresses === undefined ? {} : { auxiliary: pool.AuxiliaryAddresses }),
  };
}
