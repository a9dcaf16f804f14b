import type { InterfaceSysctl } from './endpoint-options.ts';

/** Lines for `ip -batch -`: pure text, so that a test can read what a change does to the kernel. */

/** A bridge device of ours. Its own MAC is fixed: otherwise it would change with the first port's. */
export function newBridgeLine({
  name,
  mac,
  mtu,
}: {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
}): string {
  return `link add name ${name} address ${mac} mtu ${mtu} type bridge`;
}

/** Gives a link our mark as its second name, and then a first name of the user's. */
export function nameLines({
  name,
  mark,
  newName,
}: {
  readonly name: string;
  readonly mark: string;
  readonly newName: string;
}): string[] {
  return [`link property add dev ${name} altname ${mark}`, `link set dev ${name} name ${newName}`];
}

/** Gives a new bridge its address and sets it up. */
export function bridgeLines(bridge: {
  readonly name: string;
  readonly gateway: string;
  readonly prefix: number;
}): string[] {
  return [
    `link set dev ${bridge.name} addrgenmode none`,
    `addr add ${bridge.gateway}/${bridge.prefix} broadcast + dev ${bridge.name}`,
    `link set dev ${bridge.name} up`,
  ];
}

export interface EndpointLink {
  readonly namespace: string;
  /** The host's end of the veth pair. */
  readonly veth: string;
  /** The container's end: eth0, eth1, or a name that was given. */
  readonly device: string;
  readonly bridge: string;
  /** Reaches none of its bridge's other isolated ports. */
  readonly isIsolated: boolean;
  readonly mac: string;
  readonly mtu: number;
  readonly address: string;
  readonly prefix: number;
  /** Further addresses, of 169.254.0.0/16. */
  readonly linkLocal: readonly string[];
  readonly sysctls: readonly InterfaceSysctl[];
  /** Set on the one endpoint that carries the default route. */
  readonly gateway?: string;
}

/** A veth pair from the bridge into the namespace. */
export function vethLines(link: EndpointLink): string[] {
  return [
    `link add name ${link.veth} mtu ${link.mtu} type veth peer name ${link.device} address ${link.mac} mtu ${link.mtu} netns ${link.namespace}`,
    `link set dev ${link.veth} addrgenmode none`,
    ...portLines(link),
  ];
}

/** Makes a link a port of a bridge. */
export function portLines({
  veth,
  bridge,
  isIsolated,
}: Pick<EndpointLink, 'veth' | 'bridge' | 'isIsolated'>): string[] {
  return [
    `link set dev ${veth} master ${bridge} up`,
    // With br_netfilter on, a container's way to its own published port leaves by the port it came from.
    `link set dev ${veth} type bridge_slave hairpin on`,
    // What goes from port to port passes the firewall only with br_netfilter.
    ...(isIsolated ? [`link set dev ${veth} type bridge_slave isolated on`] : []),
  ];
}

/** Lines for `ip -n NAMESPACE -batch -`. */
export function insideLines(links: readonly EndpointLink[]): string[] {
  const lines = ['link set dev lo up'];
  for (const link of links) {
    lines.push(
      `addr add ${link.address}/${link.prefix} broadcast + dev ${link.device}`,
      ...link.linkLocal.map((address) => `addr add ${address}/16 dev ${link.device}`),
      `link set dev ${link.device} up`,
    );
    if (link.gateway !== undefined) lines.push(`route add default via ${link.gateway} dev ${link.device}`);
  }
  return lines;
}
