import { BlockList, isIP } from 'node:net';
import { defaultDomain } from '../../oci/index.ts';

export interface RegistrySettings {
  /** Hosts (`registry:5000`) and networks (`10.0.0.0/8`) that may be spoken to without TLS or a known certificate. */
  readonly insecureRegistries: readonly string[];
  /** URLs asked before Docker Hub. */
  readonly registryMirrors: readonly string[];
}

/** One way to a registry. */
export interface Endpoint {
  /** `https://registry-1.docker.io`, with the path of a mirror that has one; no slash at its end. */
  readonly base: string;
  readonly mirror: boolean;
}

const hubHost = 'registry-1.docker.io';

/** The ways to a registry in the order they are tried; what it is pushed to is never a mirror. */
export function endpointsOf(domain: string, action: 'pull' | 'push', settings: RegistrySettings): Endpoint[] {
  if (domain !== defaultDomain) {
    return schemesOf(domain, settings).map((scheme) => ({ base: `${scheme}://${domain}`, mirror: false }));
  }
  const mirrors = action === 'pull' ? settings.registryMirrors : [];
  return [
    ...mirrors.map((base) => ({ base: base.replace(/\/+$/, ''), mirror: true })),
    { base: `https://${hubHost}`, mirror: false },
  ];
}

/** An insecure registry may speak TLS all the same, so that comes first. */
export function schemesOf(host: string, settings: RegistrySettings): readonly ('https' | 'http')[] {
  return isInsecure(host, settings) ? ['https', 'http'] : ['https'];
}

/** Loopback always is; names are not looked up. */
export function isInsecure(host: string, { insecureRegistries }: RegistrySettings): boolean {
  const name = hostnameOf(host);
  if (name === 'localhost' || insecureRegistries.includes(host)) return true;
  const family = isIP(name);
  if (family === 0) return false;
  const networks = new BlockList();
  networks.addSubnet('127.0.0.0', 8, 'ipv4');
  networks.addAddress('::1', 'ipv6');
  for (const network of insecureRegistries) {
    const [address = '', bits = ''] = network.split('/');
    if (isIP(address) === 0 || !/^\d+$/.test(bits)) continue;
    networks.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6');
  }
  return networks.check(name, family === 4 ? 'ipv4' : 'ipv6');
}

/** `[::1]:5000` is `::1`. */
function hostnameOf(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'));
  return host.split(':', 1)[0] ?? host;
}
