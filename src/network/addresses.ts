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

/** How many host addresses are free. */
export function countFree({ subnet, used, range = subnet }: AddressQuery): number {
  const ends = [subnet.base, broadcastOf(subnet)].map(toAddress);
  const taken = new Set([...used, ...ends]);
  return 2 ** (32 - range.prefix) - [...taken].filter((address) => contains(range, address)).length;
}

/** A free host address. Throws `internal` with Docker's text when none is left. */
export function chooseAddress({ subnet, used, last, range = subnet }: AddressQuery): string {
  const size = 2 ** (32 - range.prefix);
  const broadcast = broadcastOf(subnet);
  const start = last === undefined ? 0 : (toNumber(last) - range.base + 1 + size) % size;
  for (let step = 0; step < size; step += 1) {
    const value = range.base + ((start + step) % size);
    if (value === subnet.base || value === broadcast) continue;
    const address = toAddress(value);
    if (!used.has(address)) return address;
  }
  throw new EngineError('internal', "no available IPv4 addresses on this network's address pools");
}

/**
 * Ranges that no network gets by itself: those on the host's links, and its name servers; `own` links left out. A range
 * that is only routed elsewhere says little: a VPN routes halves of the world, of which the host uses a little.
 */
export function takenSubnets(
  { links, routes, nameservers }: HostNetwork,
  own: (name: string) => boolean,
): Subnet[] {
  const addresses = links
    .filter(({ ifname }) => !own(ifname))
    .flatMap(({ addr_info = [] }) => addr_info)
    .filter(({ family }) => family === 'inet')
    .map(({ local, prefixlen }) => parseSubnet(`${local}/${prefixlen}`));
  const onLink = routes
    .filter(({ dst, dev, scope }) => scope === 'link' && dst !== 'default' && !(dev && own(dev)))
    .map(({ dst }) => parseSubnet(dst.includes('/') ? dst : `${dst}/32`))
    // A default route in two halves.
    .filter(({ prefix }) => prefix > 1);
  const servers = nameservers.filter(isIpv4).map((server) => parseSubnet(`${server}/32`));
  return [...addresses, ...onLink, ...servers];
}

/** What the host has of networks. */
export interface HostNetwork {
  readonly links: readonly HostLink[];
  readonly routes: readonly HostRoute[];
  readonly nameservers: readonly string[];
}

/** One object of `ip -j addr`. */
export interface HostLink {
  readonly ifname: string;
  readonly altnames?: readonly string[];
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
  }[];
}

/** One object of `ip -j -4 route`. */
export interface HostRoute {
  readonly dst: string;
  readonly dev?: string;
  /** `link` where it has no gateway; absent for `global`. */
  readonly scope?: string;
}

function broadcastOf({ base, prefix }: Subnet): number {
  return base + 2 ** (32 - prefix) - 1;
}

function mask(prefix: number): number {
  return prefix === 0 ? 0 : (0xffff_ffff << (32 - prefix)) >>> 0;
}
