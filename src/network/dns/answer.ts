import dnsPacket, { type Answer, type DecodedPacket, type Packet } from 'dns-packet';
import { addressesOf, type NamedNetwork, nameOf } from './names.ts';

const ttlSeconds = 600;
const code = { serverFailure: 2 } as const;
const reverse = '.in-addr.arpa';
/** What goes in one datagram everywhere, as resolvers have agreed on. */
export const longestQuery = 1232;

/** What to do with a query: send an answer, ask other servers, or nothing (it is no query as programs send them). */
export type Verdict =
  | { readonly kind: 'answer'; readonly packet: Buffer }
  | { readonly kind: 'forward' }
  | { readonly kind: 'ignore' };

/**
 * Answers a query about the containers of `networks` from what is known. A name that is one of theirs has an IPv4
 * address and nothing else: asked for something else it has an empty answer, so that nobody looks elsewhere.
 */
export function answer(query: Buffer, networks: readonly NamedNetwork[], transport: 'udp' | 'tcp'): Verdict {
  const decoded = decode(query);
  const [question] = decoded?.questions ?? [];
  if (decoded?.type !== 'query' || question === undefined) return { kind: 'ignore' };
  const name = question.name.replace(/\.$/, '');
  if (question.type === 'PTR' && name.toLowerCase().endsWith(reverse)) {
    const address = name.slice(0, -reverse.length).split('.').reverse().join('.');
    const known = nameOf(address, networks);
    if (known === undefined) return { kind: 'forward' };
    return reply(decoded, [{ type: 'PTR', name: question.name, ttl: ttlSeconds, data: known }], transport);
  }
  const addresses = addressesOf(name, networks);
  if (addresses === undefined) return { kind: 'forward' };
  const wantsAddress = question.type === 'A' || (question.type as string) === 'ANY';
  return reply(
    decoded,
    wantsAddress
      ? shuffled(addresses).map((data) => ({ type: 'A', name: question.name, ttl: ttlSeconds, data }))
      : [],
    transport,
  );
}

/** The answer to a query that nobody could answer. */
export function failureTo(query: Buffer): Buffer | undefined {
  const decoded = decode(query);
  return decoded === undefined ? undefined : encode(decoded, [], code.serverFailure);
}

/** As many of the answers as the client takes in one packet. */
function reply(query: DecodedPacket, answers: Answer[], transport: 'udp' | 'tcp'): Verdict {
  const limit = transport === 'tcp' ? 65_535 : udpLimit(query);
  for (let count = answers.length; ; count -= 1) {
    const truncated = count < answers.length ? dnsPacket.TRUNCATED_RESPONSE : 0;
    const packet = encode(query, answers.slice(0, count), truncated);
    if (packet.length <= limit || count === 0) return { kind: 'answer', packet };
  }
}

function udpLimit({ additionals = [] }: DecodedPacket): number {
  const option = additionals.find((record) => record.type === 'OPT');
  return Math.min(Math.max(option?.udpPayloadSize ?? 512, 512), 4096);
}

function encode(query: DecodedPacket, answers: Answer[], moreFlags: number): Buffer {
  const packet: Packet = {
    type: 'response',
    id: query.id ?? 0,
    flags: dnsPacket.RECURSION_AVAILABLE | (query.flag_rd ? dnsPacket.RECURSION_DESIRED : 0) | moreFlags,
    questions: query.questions ?? [],
    answers,
  };
  return dnsPacket.encode(packet);
}

function decode(packet: Buffer): DecodedPacket | undefined {
  if (!isQuestion(packet)) return undefined;
  try {
    return dnsPacket.decode(packet);
  } catch (error) {
    // Anything may be sent here.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/**
 * One question and the few options that go with it. In other records names can point at names at such length that
 * decoding a single datagram takes a second.
 */
function isQuestion(packet: Buffer): boolean {
  if (packet.length < 12 || packet.length > longestQuery) return false;
  const count = (at: number) => packet.readUInt16BE(at);
  return count(4) === 1 && count(6) === 0 && count(8) === 0 && count(10) <= 2;
}

/** Those who take the first address spread over all of them. */
function shuffled<T>(list: readonly T[]): T[] {
  const mixed = [...list];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const at = Math.floor(Math.random() * (last + 1));
    [mixed[last], mixed[at]] = [mixed[at] as T, mixed[last] as T];
  }
  return mixed;
}
