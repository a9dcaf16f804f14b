/** Where containers on user-defined networks ask for names, as in Docker. */
export const resolverAddress = '127.0.0.11';

const table = 'gantry-dns';

/** A script for `nft -f -` inside a container's namespace, whatever it did before: port 53 leads to the resolver. */
export function redirectScript(ports: { readonly udp: number; readonly tcp: number }): string {
  const rule = (protocol: 'udp' | 'tcp') =>
    `    ip daddr ${resolverAddress} ${protocol} dport 53 dnat to ${resolverAddress}:${ports[protocol]}`;
  return [
    `table ip ${table} {}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    '  chain output { type nat hook output priority -100; policy accept;',
    rule('udp'),
    rule('tcp'),
    '  }',
    '}',
    '',
  ].join('\n');
}
