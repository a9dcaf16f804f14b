import { lookup as lookupAddress } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { defaultDomain } from '../../oci/index.ts';

export interface RegistrySettings {
  /** Hosts (`registry:5000`) and networks (`10.0.0.0/8`) that may be spoken to without TLS or a known certificate. */
  readonly insecureRegistries: readonly string[];
  /** URLs asked before Docker Hub. */
  readonly registryMirrors: readonly string[];
  /** Addresses of a name; default: as the system finds them. */
  readonly lookup?: (name: string) => Promise<readonly string[]>;
}

/** One way to a registry. */
export interface Endpoint {
  /** `https://registry-1.docker.io`, with the path of a mirror that has one; no slash at its end. */
  readonly base: string;
  readonly insecure: boolean;
}

const hubHost = 'registry-1.docker.io';

/** What is asked before the registry itself, and never pushed to. */
export function mirrorsOf(domain: string, action: 'pull' | 'push', settings: RegistrySettings): string[] {
  if (domain !== defaultDomain || action === 'push') return [];
  return settings.registryMirrors.map((base) => base.replace(/\/+$/, ''));
}

export async function mirrorEndpoint(base: string, settings: RegistrySettings): Promise<Endpoint> {
  return { base, insecure: await resolvesInsecure(new URL(base).host, settings) };
}

/** The ways to a registry in the order they are tried. An insecure one may speak TLS all the same, so that comes first. */
export async function endpointsOf(domain: string, settings: RegistrySettings): Promise<Endpoint[]> {
  if (domain === defaultDomain) return [{ base: `https://${hubHost}`, insecure: false }];
  const insecure = await resolvesInsecure(domain, settings);
  const schemes = insecure ? ['https', 'http'] : ['https'];
  return schemes.map((scheme) => ({ base: `${scheme}://${domain}`, insecure }));
}

/** Loopback always is; names are not looked up. */
export function isInsecure(host: string, { insecureRegistries }: RegistrySettings): boolean {
  const name = hostnameOf(host);
  if (name === 'localhost' || insecureRegistries.includes(host)) return true;
  return isIP(name) !== 0 && networksOf(insecureRegistries).check(name, familyOf(name));
}

/** As `isInsecure`; but a name is also what it resolves to, as for Docker. One that does not resolve is secure. */
async function resolvesInsecure(host: string, settings: RegistrySettings): Promise<boolean> {
  if (isInsecure(host, settings)) return true;
  const name = hostnameOf(host);
  if (isIP(name) !== 0) return false;
  const { lookup = lookupAll, insecureRegistries } = settings;
  const addresses = await lookup(name).catch(() => []);
  const networks = networksOf(insecureRegistries);
  return addresses.some((address) => networks.check(address, familyOf(address)));
}

async function lookupAll(name: string): Promise<string[]> {
  return (await lookupAddress(name, { all: true })).map(({ address }) => address);
}

function networksOf(insecureRegistries: readonly string[]): BlockList {
  const networks = new BlockList();
  networks.addSubnet('127.0.0.0', 8, 'ipv4');
  networks.addAddress('::1', 'ipv6');
  for (const network of insecureRegistries) {
    const [address = '', bits = ''] = network.split('/');
    if (isIP(address) === 0 || !/^\d+$/.test(bits)) continue;
    networks.addSubnet(address, Number(bits), familyOf(address));
  }
  return networks;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}

/** `[::1]:5000` is `::1`. */
function hostnameOf(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'));
  return host.split(':', 1)[0] ?? host;
}
