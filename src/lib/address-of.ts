import { lookup } from 'node:dns/promises';

/** An address of a host, of IPv4 if it has one, as Go's net package chooses; an address is its own. Rejects as `lookup`. */
export async function addressOf(host: string): Promise<string> {
  return (await lookup(host, { order: 'ipv4first' })).address;
}
