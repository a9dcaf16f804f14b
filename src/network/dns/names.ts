import type { Endpoint } from '../endpoints.ts';

/** A user-defined network as its containers' resolvers see it. */
export interface NamedNetwork {
  readonly name: string;
  /** Of every container on it. */
  readonly endpoints: readonly Endpoint[];
  /** `--link CONTAINER:ALIAS` of the container that asks. */
  readonly links: readonly string[];
}

/**
 * The addresses a container's name has for another: by name, alias, short id or host name, on any network the two
 * share, or on the one given as `NAME.NETWORK`. `undefined` when it is nobody's.
 */
export function addressesOf(name: string, networks: readonly NamedNetwork[]): string[] | undefined {
  const wanted = name.toLowerCase();
  const dot = wanted.lastIndexOf('.');
  const found = networks.flatMap((network) => {
    const onIt = matching(wanted, network);
    if (onIt.length > 0 || dot < 1 || wanted.slice(dot + 1) !== network.name.toLowerCase()) return onIt;
    return matching(wanted.slice(0, dot), network);
  });
  return found.length === 0 ? undefined : [...new Set(found)];
}

/** The name of the container at an address, as `NAME.NETWORK`. */
export function nameOf(address: string, networks: readonly NamedNetwork[]): string | undefined {
  for (const network of networks) {
    const endpoint = network.endpoints.find((each) => each.address === address);
    if (endpoint !== undefined) return `${endpoint.names[0] ?? endpoint.containerName}.${network.name}`;
  }
  return undefined;
}

function matching(wanted: string, { endpoints, links }: NamedNetwork): string[] {
  const linked = links.flatMap((link) => {
    const { container, alias } = splitLink(link);
    return alias.toLowerCase() === wanted ? [container] : [];
  });
  return endpoints.flatMap((endpoint) => {
    const hit =
      endpoint.names.some((name) => name.toLowerCase() === wanted) ||
      linked.some(
        (container) => container === endpoint.containerName || endpoint.containerId.startsWith(container),
      );
    return hit && endpoint.address !== '' ? [endpoint.address] : [];
  });
}

/**
 * `CONTAINER:ALIAS`; the alias is the container's name where there is none. Or as `inspect` shows it, which is what a
 * client sends that makes a container anew: `/CONTAINER:/OWN/ALIAS`.
 */
export function splitLink(link: string): { readonly container: string; readonly alias: string } {
  const [container = '', alias] = link.split(':');
  if (alias === undefined) return { container, alias: container };
  if (!container.startsWith('/')) return { container, alias };
  return { container: container.slice(1), alias: alias.slice(alias.lastIndexOf('/') + 1) };
}
