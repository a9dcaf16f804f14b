import { isIP } from 'node:net';

/** Where the host's resolvers stand: systemd-resolved's own file first, for its /etc/resolv.conf names only a stub. */
export const hostResolvConf = {
  plain: '/etc/resolv.conf',
  resolved: '/run/systemd/resolve/resolv.conf',
} as const;

export interface ResolvOptions {
  /** `--dns`, `--dns-search`, `--dns-option`: a list that is not empty replaces the host's. */
  readonly dns?: readonly string[];
  readonly search?: readonly string[];
  readonly options?: readonly string[];
  /** The engine's own resolver, which asks the others: it stands alone in the file. */
  readonly resolver?: string;
  /** Where the host's own loopback is the container's too. */
  readonly onHostNetwork?: boolean;
}

/** True when the host's file names only systemd-resolved's stub, so that the `resolved` file is the one to copy. */
export function isResolvedStub(hostText: string): boolean {
  const servers = valuesOf(hostText, 'nameserver');
  return servers.length > 0 && servers.every((server) => server === '127.0.0.53');
}

/** A container's /etc/resolv.conf from the host's. */
export function resolvConf(hostText: string, asked: ResolvOptions = {}): string {
  const { search = [], options = [], resolver } = asked;
  const servers = serversOf(hostText, asked);
  const domains = search.length > 0 ? search.filter((domain) => domain !== '.') : searchOf(hostText);
  const given = options.length > 0 ? options : valuesOf(hostText, 'options').flatMap(words);
  const hasDots = given.some((option) => option.startsWith('ndots:'));
  // A container's name has no dots and is to be asked for as it is.
  const settings = resolver === undefined || hasDots ? given : [...given, 'ndots:0'];
  return lines([
    ...servers.map((server) => `nameserver ${server}`),
    ...(domains.length > 0 ? [`search ${domains.join(' ')}`] : []),
    ...(settings.length > 0 ? [`options ${settings.join(' ')}`] : []),
  ]);
}

/**
 * Servers on the host's loopback are of no use in a network of the container's own, and with none left Google's are
 * taken, as Docker does.
 */
function serversOf(
  hostText: string,
  { dns = [], resolver, onHostNetwork = false }: ResolvOptions,
): readonly string[] {
  if (resolver !== undefined) return [resolver];
  if (dns.length > 0) return dns;
  const servers = nameserversOf(hostText);
  if (onHostNetwork) return servers;
  const reachable = servers.filter((server) => !isLoopback(server));
  return reachable.length > 0 ? reachable : ['8.8.8.8', '8.8.4.4'];
}

export interface HostsOptions {
  readonly hostname: string;
  readonly domainname?: string;
  /** The container's own addresses; none with `--network none`. */
  readonly addresses: readonly string[];
  /** `NAME:ADDRESS` or `NAME=ADDRESS`; the address `host-gateway` becomes `gateway`. */
  readonly extraHosts?: readonly string[];
  readonly gateway?: string;
  readonly ipv6?: boolean;
}

/** A container's /etc/hosts. */
export function hostsFile(options: HostsOptions): string {
  const { hostname, domainname = '', addresses, extraHosts = [], gateway = '', ipv6 = false } = options;
  const names = domainname === '' ? hostname : `${hostname}.${domainname} ${hostname}`;
  return lines([
    '127.0.0.1\tlocalhost',
    ...(ipv6
      ? [
          '::1\tlocalhost ip6-localhost ip6-loopback',
          'fe00::\tip6-localnet',
          'ff00::\tip6-mcastprefix',
          'ff02::1\tip6-allnodes',
          'ff02::2\tip6-allrouters',
        ]
      : []),
    ...extraHosts.map((entry) => {
      const at = entry.search(/[:=]/);
      const address = entry.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
      return `${address === 'host-gateway' ? gateway : address}\t${entry.slice(0, at)}`;
    }),
    ...addresses.map((address) => `${address}\t${names}`),
  ]);
}

/** A container's /etc/hosts, whoever has changed it, with its name for one more address. */
export function withOwnAddress(text: string, { hostname, domainname = '', address }: OwnAddress): string {
  const names = domainname === '' ? hostname : `${hostname}.${domainname} ${hostname}`;
  const before = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${before}${address}\t${names}\n`;
}

/** The same without an address that is its own no more. */
export function withoutOwnAddress(text: string, { hostname, address }: OwnAddress): string {
  const isIt = (line: string) => {
    const [first, ...names] = words(line);
    return first === address && names.includes(hostname);
  };
  return text
    .split('\n')
    .filter((line) => !isIt(line))
    .join('\n');
}

export interface OwnAddress {
  readonly hostname: string;
  readonly domainname?: string;
  readonly address: string;
}

export function hostnameFile(hostname: string): string {
  return `${hostname}\n`;
}

/** The servers that a resolv.conf names. */
export function nameserversOf(text: string): string[] {
  return valuesOf(text, 'nameserver').filter((server) => isIP(server) !== 0);
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** The last `search` (or `domain`) line counts, as in resolv.conf(5). */
function searchOf(text: string): string[] {
  const last = valuesOf(text, '(?:search|domain)').at(-1);
  return last === undefined ? [] : words(last).filter((domain) => domain !== '.');
}

function valuesOf(text: string, keyword: string): string[] {
  const pattern = new RegExp(`^\\s*${keyword}\\s+(.*?)\\s*$`, 'gm');
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function lines(list: readonly string[]): string {
  return list.length === 0 ? '' : `${list.join('\n')}\n`;
}
