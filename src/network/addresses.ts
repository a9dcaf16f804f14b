import { EngineError } from '../errors/index.ts';

/** An IPv4 range: its first address as a number, and the length of its prefix. */
export interface Subnet {
  readonly base: number;
  readonly prefix: number;
}

/** Docker's local address pools: 172.17/16 to 172.31/16, then 192.168/16 in pieces of /20. */
export const defaultPools: readonly Subnet[] = [
  ...Array.from({ length: 15 }, (_, i) => ({ base: toNumber(`172.${17 + i}.0.0`), prefix: 16 })),
  ...Array.from({ length: 16 }, (_, i) => ({ base: toNumber(`192.168.${i * 16}.0`), prefix: 20 })),
];

/** `10.0.0.1` as a number. Throws `invalidArgument` for anything else. */
export function toNumber(address: string): number {
  const parts = address.split('.');
  const bytes = parts.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) {
    throw new EngineError('invalidArgument', `invalid IP address: ${address}`);
  }
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

export function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}

export function isIpv4(address: string): boolean {
  return /^(\d{1,3}\.){3}\d{1,3}$/.test(address) && address.split('.').every((byte) => Number(byte) <= 255);
}

/** `172.17.0.0/16` (host bits allowed) to its range. Throws `invalidArgument`. */
export function parseSubnet(text: string): Subnet {
  const [address = '', length = ''] = text.split('/');
  const prefix = Number(length);
  if (!/^\d{1,2}$/.test(length) || prefix > 32) {
    throw new EngineError('invalidArgument', `invalid CIDR address: ${text}`);
  }
  return { base: (toNumber(address) & mask(prefix)) >>> 0, prefix };
}

export function formatSubnet({ base, prefix }: Subnet): string {
  return `${toAddress(base)}/${prefix}`;
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  const shared = mask(Math.min(a.prefix, b.prefix));
  return (a.base & shared) === (b.base & shared);
}

export function contains({ base, prefix }: Subnet, address: string): boolean {
  return (toNumber(address) & mask(prefix)) >>> 0 === base;
}

/** The first pool that no taken range overlaps. Rejects with `forbidden` and Docker's text when all are taken. */
export function chooseSubnet(taken: readonly Subnet[], pools: readonly Subnet[] = defaultPools): Subnet {
  const free = pools.find((pool) => taken.every((range) => !overlaps(pool, range)));
  if (free === undefined) {
    throw new EngineError(
      'forbidden',
      'all predefined address pools have been fully subnetted: remove a network with `docker network prune`',
    );
  }
  return free;
}

export interface AddressQuery {
  readonly subnet: Subnet;
  /** Addresses in use, the gateway among them. */
  readonly used: ReadonlySet<string>;
  /** The one given last: search starts after it, so that an address rests before it is used again. */
  readonly last?: string;
  /** Only addresses of this range. */
  readonly range?: Subnet;
}

/** A free host address. Throws `internal` with Docker's text when none is left. */
export function chooseAddress({ subnet, used, last, range = subnet }: AddressQuery): string {
  const size = 2 ** (32 - range.prefix);
  const broadcast = subnet.base + 2 ** (32 - subnet.prefix) - 1;
  const start = last === undefined ? 0 : (toNumber(last) - range.base + 1 + size) % size;
  for (let step = 0; step < size; step += 1) {
    const value = range.base + ((start + step) % size);
    if (value === subnet.base || value === broadcast) continue;
    const address = toAddress(value);
    if (!used.has(address)) return address;
  }
  throw new EngineError('internal', "no available IPv4 addresses on this network's address pools");
}

/** Docker's address for an interface: 02:42 and the four bytes of its IPv4 address. */
export function macOf(address: string): string {
  const bytes = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}

/** Ranges that the host's addresses and routes take, from `ip -j addr` and `ip -j route`; `own` interfaces left out. */
export function takenSubnets(
  links: readonly HostLink[],
  routes: readonly HostRoute[],
  own: (name: string) => boolean,
): Subnet[] {
  const taken: Subnet[] = [];
  for (const link of links) {
    if (own(link.ifname)) continue;
    for (const info of link.addr_info ?? []) {
      if (info.family === 'inet') taken.push(parseSubnet(`${info.local}/${info.prefixlen}`));
    }
  }
  for (const route of routes) {
    if (route.dst === 'default' || (route.dev !== undefined && own(route.dev))) continue;
    if (isIpv4(route.dst.split('/')[0] ?? '')) {
      taken.push(parseSubnet(route.dst.includes('/') ? route.dst : `${route.dst}/32`));
    }
  }
  return taken;
}

/** One object of `ip -j addr`. */
export interface HostLink {
  readonly ifname: string;
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
  }[];
}

/** One object of `ip -j route`. */
export interface HostRoute {
  readonly dst: string;
  readonly dev?: string;
}

function mask(prefix: number): number {
  return prefix === 0 ? 0 : (0xffff_ffff << (32 - prefix)) >>> 0;
}
