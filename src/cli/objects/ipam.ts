import { BlockList, isIP, isIPv6 } from 'node:net';
import type { IpamPool } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';

export interface IpamOptions {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  readonly auxiliary: Readonly<Record<string, string>>;
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/** Puts each range, gateway and auxiliary address with the subnet it belongs to. Throws Docker's texts. */
export function ipamPools(options: IpamOptions): IpamPool[] {
  if (options.subnets.length < options.ranges.length || options.subnets.length < options.gateways.length) {
    throw invalid('every ip-range or gateway must have a corresponding subnet');
  }
  const pools = options.subnets.map((subnet) => ({ subnet, list: blockOf(subnet) }));
  const find = (address: string, what: string) => {
    const bare = address.split('/')[0] ?? '';
    if (isIP(bare) === 0) throw invalid(`invalid ${what}: ${address}`);
    const pool = pools.find(({ list }) => list.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4'));
    if (pool === undefined) throw invalid(`no matching subnet for ${what} ${address}`);
    return pool.subnet;
  };
  const ranges = new Map(options.ranges.map((range) => [find(range, 'range'), range]));
  const gateways = new Map(options.gateways.map((gateway) => [find(gateway, 'gateway'), gateway]));
  const auxiliary = Object.entries(options.auxiliary).map(
    ([name, address]) => [find(address, 'aux-address'), name, address] as const,
  );
  return pools.map(({ subnet }) => {
    const range = ranges.get(subnet);
    const gateway = gateways.get(subnet);
    const own = auxiliary
      .filter(([of]) => of === subnet)
      .map(([, name, address]) => [name, address] as const);
    return {
      Subnet: subnet,
      ...(range === undefined ? {} : { IPRange: range }),
      ...(gateway === undefined ? {} : { Gateway: gateway }),
      ...(own.length === 0 ? {} : { AuxiliaryAddresses: Object.fromEntries(own) }),
    };
  });
}

function blockOf(subnet: string): BlockList {
  const [address = '', prefix = ''] = subnet.split('/');
  const family = isIP(address);
  if (family === 0 || !/^\d+$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128)) {
    throw invalid(`invalid subnet ${subnet}: invalid CIDR block notation`);
  }
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
  return list;
}
