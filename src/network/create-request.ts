import type { NetworkCreateRequest } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { randomId } from '../lib/ids.ts';
import { contains, formatSubnet, overlaps, parseSubnet, type Subnet, toAddress } from './addresses.ts';
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
  /** Names of the host's links and of networks' bridges. */
  readonly taken: ReadonlySet<string>;
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
  if (driver !== 'bridge' && driver !== '' && driver !== 'default') {
    throw new EngineError(
      'notFound',
      `could not find plugin ${driver} in v1 plugin registry: plugin not found`,
    );
  }
  if (request.EnableIPv6 === true) {
    throw new EngineError('notImplemented', 'IPv6 networks are not supported');
  }
  if (request.ConfigOnly === true || request.Ingress === true || request.Scope === 'swarm') {
    throw new EngineError('notImplemented', 'config-only, ingress and swarm networks are not supported');
  }
  return name;
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
  return { ...record, bridge: { device: names.of(id), ...addressing(request, subnets) } };
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
    mtu: mtuOf(request.Options ?? {}),
    ...(range === undefined ? {} : { range: formatSubnet(range) }),
    ...(pool.AuxiliaryAddresses === undefined ? {} : { auxiliary: pool.AuxiliaryAddresses }),
  };
}

function mtuOf(options: Readonly<Record<string, string>>): number {
  const text = options['com.docker.network.driver.mtu'] ?? '1500';
  const mtu = Number(text);
  if (!/^\d+$/.test(text) || mtu < 68 || mtu > 65535) {
    throw new EngineError('invalidArgument', `invalid value for com.docker.network.driver.mtu: ${text}`);
  }
  return mtu;
}
