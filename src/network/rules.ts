import { isIpv6 } from './ports.ts';

/** What the firewall must know of one bridge. */
export interface BridgeRules {
  readonly bridge: string;
  readonly subnet: string;
  /** No way out and none in. */
  readonly internal: boolean;
  readonly masquerade: boolean;
  /** Containers of the network reach each other. */
  readonly icc: boolean;
}

/** One published port. `hostIp` is `0.0.0.0` for every address. */
export interface PortRule {
  readonly protocol: string;
  readonly hostIp: string;
  readonly hostPort: number;
  readonly address: string;
  readonly port: number;
}

const guard = 'gantry-forwarding';

/**
 * For a host that did not forward before, and would be a router for its neighbours from now on: only what comes from a
 * bridge or goes to one, whosever it is, is forwarded. It outlives the engine, as forwarding does.
 */
export const forwardingGuard = `table ip ${guard} {}
delete table ip ${guard}
table ip ${guard} {
  comment "Gantry turned forwarding on, for bridges alone"
  chain forward { type filter hook forward priority filter; policy drop;
    meta iifkind "bridge" accept
    meta oifkind "bridge" accept
  }
}
`;

export function tableOf(instance: string): string {
  return `gantry-${instance}`;
}

/** A script for `nft -f -` that makes the table as described, whatever was there, in one transaction. */
export function tableScript(
  instance: string,
  bridges: readonly BridgeRules[],
  ports: readonly PortRule[],
): string {
  const table = tableOf(instance);
  return [
    `table ip ${table} {}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    '  map published { type inet_proto . inet_service : ipv4_addr . inet_service; }',
    '  map published_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }',
    // 127.0.0.1 is the host's own. The kernel's own check comes after DNAT, and not at all where route_localnet lets
    // the host's 127.0.0.1 reach containers.
    '  chain guard { type filter hook prerouting priority raw; policy accept;',
    '    iifname != "lo" ip daddr 127.0.0.0/8 drop',
    '  }',
    '  chain to_container {',
    '    dnat ip to ip daddr . meta l4proto . th dport map @published_at',
    '    dnat ip to meta l4proto . th dport map @published',
    '  }',
    '  chain prerouting { type nat hook prerouting priority dstnat; policy accept;',
    '    fib daddr type local jump to_container',
    '  }',
    '  chain output { type nat hook output priority -100; policy accept;',
    '    fib daddr type local jump to_container',
    '  }',
    '  chain forward { type filter hook forward priority filter; policy accept; }',
    '  chain postrouting { type nat hook postrouting priority srcnat; policy accept; }',
    '}',
    ...bridgeRuleLines(table, bridges),
    ...portLines('add', instance, ports),
    '',
  ].join('\n');
}

/** A script that renews the rules of all bridges and leaves published ports as they are. */
export function bridgesScript(instance: string, bridges: readonly BridgeRules[]): string {
  const table = tableOf(instance);
  return [
    ...['forward', 'postrouting'].map((chain) => `flush chain ip ${table} ${chain}`),
    ...bridgeRuleLines(table, bridges),
    '',
  ].join('\n');
}

/** A script that publishes ports, or takes them back. */
export function portsScript(verb: 'add' | 'delete', instance: string, ports: readonly PortRule[]): string {
  return `${portLines(verb, instance, ports).join('\n')}\n`;
}

export function removeTableScript(instance: string): string {
  const table = tableOf(instance);
  return `table ip ${table} {}\ndelete table ip ${table}\n`;
}

function portLines(verb: 'add' | 'delete', instance: string, ports: readonly PortRule[]): string[] {
  const elements = { published: [] as string[], published_at: [] as string[] };
  for (const rule of ports) {
    // The daemon relays IPv6 itself: containers have IPv4 addresses only.
    if (isIpv6(rule.hostIp)) continue;
    const target = verb === 'add' ? ` : ${rule.address} . ${rule.port}` : '';
    const key = `${rule.protocol} . ${rule.hostPort}`;
    if (rule.hostIp === '0.0.0.0') elements.published.push(key + target);
    else elements.published_at.push(`${rule.hostIp} . ${key}${target}`);
  }
  return Object.entries(elements).flatMap(([map, list]) =>
    list.length === 0 ? [] : [`${verb} element ip ${tableOf(instance)} ${map} { ${list.join(', ')} }`],
  );
}

function bridgeRuleLines(table: string, bridges: readonly BridgeRules[]): string[] {
  const lines: string[] = [];
  const rule = (chain: string, text: string) => {
    lines.push(`add rule ip ${table} ${chain} ${text}`);
  };
  // Before any other bridge's rules can accept.
  for (const { bridge } of bridges.filter(({ internal }) => internal)) {
    rule('forward', `iifname "${bridge}" oifname != "${bridge}" drop`);
    rule('forward', `iifname != "${bridge}" oifname "${bridge}" drop`);
  }
  for (const { bridge, subnet, internal, masquerade, icc } of bridges) {
    const inside = `iifname "${bridge}" oifname "${bridge}"`;
    rule('forward', `oifname "${bridge}" ct state established,related accept`);
    rule('forward', `${inside} ct status dnat accept`);
    rule('forward', `${inside} ${icc ? 'accept' : 'drop'}`);
    if (!internal) {
      rule('forward', `oifname "${bridge}" ct status dnat accept`);
      rule('forward', `oifname "${bridge}" drop`);
      if (masquerade) rule('postrouting', `ip saddr ${subnet} oifname != "${bridge}" masquerade`);
    }
    rule('postrouting', `ip saddr 127.0.0.0/8 oifname "${bridge}" masquerade`);
    // A container that asks for a port the host publishes must get its answer through the host too.
    rule('postrouting', `ip saddr ${subnet} oifname "${bridge}" ct status dnat masquerade`);
  }
  return lines;
}
