import { networkInterfaces } from 'node:os';
import { hasErrno } from '../errors/index.ts';
import { attribute, attributesOf, NetlinkFlag, NetlinkSocket, nested } from '../lib/netlink.ts';
import { toAddress } from './addresses.ts';
import type { PortRule } from './rules.ts';

// linux/netfilter/nfnetlink_conntrack.h
const netfilter = 12;
const messageType = { get: 0x101, delete: 0x102 } as const;
const entryAttribute = { original: 1, id: 12, zone: 18, filter: 25 } as const;
const tupleAttribute = { ip: 1, protocol: 2 } as const;
const ipAttribute = { destination: 2 } as const;
const protocolAttribute = { number: 1, destinationPort: 3 } as const;
const filterAttribute = { originalFlags: 1, replyFlags: 2 } as const;
const filterByProtocol = 1 << 3;
const udp = 17;

/** `nfgenmsg` of AF_INET. */
const family = Buffer.from([2, 0, 0, 0]);

/**
 * Makes the kernel forget the UDP flows to these host ports. It keeps a flow's target for as long as its client goes on
 * sending: a container that has gone, or the host itself from before the port was published.
 */
export function forgetUdpFlows(rules: readonly PortRule[]): void {
  const published = rules.filter(({ protocol }) => protocol === 'udp');
  if (published.length === 0) return;
  const locals = new Set(
    Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .map((one) => one.address),
  );
  const isLocal = (address: string) => locals.has(address) || address.startsWith('127.');
  using socket = new NetlinkSocket(netfilter);
  for (const entry of socket.ask({ type: messageType.get, flags: NetlinkFlag.dump, body: udpEntries() })) {
    const attributes = attributesOf(entry.subarray(family.length));
    const target = targetOf(attributes.get(entryAttribute.original) ?? Buffer.alloc(0));
    if (target === undefined) continue;
    const isPublished = published.some(
      ({ hostIp, hostPort }) =>
        hostPort === target.port &&
        (hostIp === '0.0.0.0' ? isLocal(target.address) : hostIp === target.address),
    );
    if (isPublished) forget(socket, attributes);
  }
}

function udpEntries(): Buffer {
  const flags = Buffer.alloc(8);
  flags.writeUInt32LE(filterByProtocol, 0);
  return Buffer.concat([
    family,
    nested(
      entryAttribute.original,
      nested(tupleAttribute.protocol, attribute(protocolAttribute.number, Buffer.from([udp]))),
    ),
    nested(
      entryAttribute.filter,
      attribute(filterAttribute.originalFlags, flags.subarray(0, 4)),
      attribute(filterAttribute.replyFlags, flags.subarray(4)),
    ),
  ]);
}

/** Where a flow's first packet was sent to; undefined for what is not UDP, which an old kernel does not leave out. */
function targetOf(tuple: Buffer): { readonly address: string; readonly port: number } | undefined {
  const parts = attributesOf(tuple);
  const protocol = attributesOf(parts.get(tupleAttribute.protocol) ?? Buffer.alloc(0));
  const address = attributesOf(parts.get(tupleAttribute.ip) ?? Buffer.alloc(0)).get(ipAttribute.destination);
  const port = protocol.get(protocolAttribute.destinationPort);
  if (protocol.get(protocolAttribute.number)?.[0] !== udp || !address || !port) return undefined;
  return { address: toAddress(address.readUInt32BE(0)), port: port.readUInt16BE(0) };
}

function forget(socket: NetlinkSocket, attributes: ReadonlyMap<number, Buffer>): void {
  const original = attributes.get(entryAttribute.original) ?? Buffer.alloc(0);
  const others = [entryAttribute.zone, entryAttribute.id].flatMap((type) => {
    const payload = attributes.get(type);
    return payload === undefined ? [] : [attribute(type, payload)];
  });
  const body = Buffer.concat([family, nested(entryAttribute.original, original), ...others]);
  try {
    socket.ask({ type: messageType.delete, flags: NetlinkFlag.acknowledge, body });
  } catch (error) {
    // It ended by itself.
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
