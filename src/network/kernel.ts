import { existsSync, writeFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EngineError, errnoOf, hasErrno, messageOf } from '../errors/index.ts';
import { inNetworkNamespace } from '../lib/network-namespace.ts';
import { run } from '../lib/run.ts';
import type { HostLink, HostNetwork, HostRoute } from './addresses.ts';
import type { InterfaceSysctl } from './endpoint-options.ts';
import { nameserversOf } from './files.ts';
import { readHostResolvConf } from './host-resolv-conf.ts';
import { forwardingGuard } from './rules.ts';

/** Where iproute2 keeps named network namespaces. */
export const namespaceDirectory = '/var/run/netns';

/** Names of everything one engine has in the kernel; all derive from its instance. */
export interface KernelNames {
  readonly bridge: string;
  userBridge(networkId: string): string;
  /** What a bridge is called until it has our mark and then its user's name. */
  readonly newBridge: string;
  veth(endpointId: string): string;
  namespace(sandboxId: string): string;
  readonly ownsLink: (name: string) => boolean;
  readonly ownsNamespace: (name: string) => boolean;
}

/** Interface names have at most 15 characters: 3 for us, 8 for the instance, 4 for the thing. */
export function kernelNames(instance: string): KernelNames {
  const bridge = `gty${instance}`;
  return {
    bridge,
    userBridge: (networkId) => `${bridge}${networkId.slice(0, 4)}`,
    newBridge: `${bridge}-new`,
    veth: (endpointId) => `gtv${instance}${endpointId.slice(0, 4)}`,
    namespace: (sandboxId) => `gty-${instance}-${sandboxId.slice(0, 12)}`,
    ownsLink: (name) => name.startsWith(bridge) || name.startsWith(`gtv${instance}`),
    ownsNamespace: (name) => name.startsWith(`gty-${instance}-`),
  };
}

/** Finds the programs that networks need; rejects with `unavailable` naming the missing package. */
export async function probeNetworkPrograms(): Promise<void> {
  await Promise.all([run('ip', ['-V']), run('nft', ['-V'])]);
}

/** Runs lines of `ip -batch`, in the host's namespace or a named one. */
export async function ip(
  lines: readonly string[],
  options: { readonly namespace?: string; readonly signal?: AbortSignal } = {},
): Promise<void> {
  if (lines.length === 0) return;
  const where = options.namespace === undefined ? [] : ['-n', options.namespace];
  await run('ip', [...where, '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** Runs lines whose target may be gone already: each is tried, none fails. */
export async function ipForce(lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  await run('ip', ['-force', '-batch', '-'], { input: `${lines.join('\n')}\n`, accept: [0, 1, 2, 255] });
}

export async function nft(script: string): Promise<void> {
  await run('nft', ['-f', '-'], { input: script });
}

export async function readHost(): Promise<HostNetwork> {
  const [links, routes, resolvConf] = await Promise.all([
    run('ip', ['-j', 'addr']),
    run('ip', ['-j', '-4', 'route']),
    readHostResolvConf().catch(() => ''),
  ]);
  return {
    links: JSON.parse(links.stdout || '[]') as HostLink[],
    routes: JSON.parse(routes.stdout || '[]') as HostRoute[],
    nameservers: nameserversOf(resolvConf),
  };
}

/** The interfaces of a namespace. */
export async function readNamespace(path: string): Promise<HostLink[]> {
  const { stdout } = await run('ip', ['-n', basename(path), '-j', 'addr']);
  return JSON.parse(stdout || '[]') as HostLink[];
}

/** Names of the interfaces in the engine's own namespace. */
export async function listLinks(): Promise<string[]> {
  return readdir('/sys/class/net');
}

export async function listNamespaces(): Promise<string[]> {
  try {
    return await readdir(namespaceDirectory);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Forwarding on, and the host's 127.0.0.1 allowed as a source on the bridge (for ports published there). */
export async function allowForwarding(bridge: string): Promise<void> {
  const forwarding = '/proc/sys/net/ipv4/ip_forward';
  if ((await readFile(forwarding, 'utf8')).trim() === '0') {
    await nft(forwardingGuard);
    await writeFile(forwarding, '1');
  }
  await writeFile(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, '1');
}

/** What Docker sets in a container's namespace: low ports and ping for everyone, no IPv6 where there is no address. */
export function prepareNamespace(
  name: string,
  links: readonly { readonly device: string; readonly sysctls: readonly InterfaceSysctl[] }[],
): void {
  inNetworkNamespace(join(namespaceDirectory, name), () => {
    writeFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', '0');
    writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 2147483647');
    for (const { device, sysctls } of links) {
      const setting = `/proc/sys/net/ipv6/conf/${device}/disable_ipv6`;
      if (existsSync(setting)) writeFileSync(setting, '1');
      for (const sysctl of sysctls) setSysctl(device, sysctl);
    }
  });
}

function setSysctl(device: string, { family, kind, rest, value }: InterfaceSysctl): void {
  try {
    // Without O_CREAT: a name that the kernel does not know is ENOENT then.
    writeFileSync(`/proc/sys/net/${family}/${kind}/${device}/${rest}`, value, { flag: 'r+' });
  } catch (error) {
    const why = errnoOf(error) ?? messageOf(error);
    const what = `net.${family}.${kind}.${device}.${rest}=${value}`;
    throw new EngineError('invalidArgument', `failed to set sysctl ${what}: the kernel refuses it (${why})`, {
      cause: error,
    });
  }
}
