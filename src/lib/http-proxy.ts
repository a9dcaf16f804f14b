import { BlockList, isIP } from 'node:net';

/** The proxies of outgoing HTTP, as `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` give them; '' is none. */
export interface ProxyConfig {
  /** URL of the proxy for `http://`; without a scheme it is an HTTP proxy. */
  readonly httpProxy: string;
  /** URL of the proxy for `https://`. */
  readonly httpsProxy: string;
  /** What is reached without: `*`, or names (with those below them), addresses and networks, split by commas. */
  readonly noProxy: string;
}

/** A proxy's URL without the credentials it may hold. */
export function redacted(proxy: string): string {
  return proxy.replace(/^(\w+:\/\/)?[^/]*@/, '$1xxxxx:xxxxx@');
}

/**
 * The proxy that a URL is asked through, undefined for none. The rules are those of Go's `http.ProxyFromEnvironment`:
 * loopback never is, `.example.com` means only names below, an entry with a port only that port.
 */
export function proxyOf(url: URL, { httpProxy, httpsProxy, noProxy }: ProxyConfig): string | undefined {
  const proxy = url.protocol === 'https:' ? httpsProxy : httpProxy;
  if (proxy === '') return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (isLoopback(host)) return undefined;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const entries = noProxy.split(',').map((entry) => entry.trim().toLowerCase());
  if (entries.some((entry) => entry !== '' && covers(entry, host, port))) return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (/^[0-9a-f.:]+\/\d+$/.test(entry)) return contains(entry, host);
  const [, name = entry, wantedPort = port] =
    /^\[?([^\]]*?)\]?:(\d+)$/.exec(isIP(entry) === 6 ? '' : entry) ?? [];
  if (wantedPort !== port) return false;
  if (isIP(name) !== 0) return name === host;
  const below = name.replace(/^\*(?=\.)/, '');
  return below.startsWith('.') ? host.endsWith(below) : host === below || host.endsWith(`.${below}`);
}

function contains(network: string, host: string): boolean {
  const [address = '', bits = ''] = network.split('/');
  const family = isIP(host);
  if (family === 0 || family !== isIP(address) || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(address, Number(bits), type);
  return list.check(host, type);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || contains('127.0.0.0/8', host);
}
