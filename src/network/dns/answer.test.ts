import assert from 'node:assert/strict';
import test from 'node:test';
import dnsPacket, { type Packet, type RecordType } from 'dns-packet';
import type { Endpoint } from '../endpoints.ts';
import { answer, failureTo } from './answer.ts';
import type { NamedNetwork } from './names.ts';

function endpoint(containerName: string, address: string, names: readonly string[] = []): Endpoint {
  return {
    containerId: containerName.padEnd(64, '0'),
    containerName,
    networkId: 'n',
    endpointId: 'e',
    mac: '',
    address,
    prefix: 24,
    names: [containerName, ...names],
    links: [],
  };
}

const network: NamedNetwork = {
  name: 'Back',
  endpoints: [
    endpoint('web', '10.0.0.2', ['www', 'all']),
    endpoint('db.main', '10.0.0.3', ['all']),
    endpoint('off', ''),
  ],
  links: ['web:site', 'db.main'],
};

function ask(
  name: string,
  type: RecordType = 'A',
  more: Partial<Packet> = {},
  transport: 'udp' | 'tcp' = 'udp',
) {
  const query = dnsPacket.encode({
    type: 'query',
    id: 7,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type }],
    ...more,
  });
  const verdict = answer(query, [network], transport);
  if (verdict.kind !== 'answer') return verdict.kind;
  const reply = dnsPacket.decode(verdict.packet);
  assert.equal(reply.id, 7);
  assert.equal(reply.questions?.[0]?.name, name);
  assert.ok(reply.flag_ra && reply.flag_rd && reply.flag_qr);
  return {
    data: reply.answers
      ?.map((each) => ('data' in each && typeof each.data === 'string' ? each.data : ''))
      .sort(),
    truncated: reply.flag_tc,
  };
}

const found = (...data: string[]) => ({ data, truncated: false });

test('answer() finds names, aliases and links, in any case, with or without the network', () => {
  assert.deepEqual(ask('web'), found('10.0.0.2'));
  assert.deepEqual(ask('WWW'), found('10.0.0.2'));
  assert.deepEqual(ask('www.back'), found('10.0.0.2'));
  assert.deepEqual(ask('db.main'), found('10.0.0.3'));
  assert.deepEqual(ask('db.main.Back'), found('10.0.0.3'));
  assert.deepEqual(ask('site'), found('10.0.0.2'));
  assert.deepEqual(ask('all'), found('10.0.0.2', '10.0.0.3'));
});

test('answer() leaves what is nobody’s to others', () => {
  assert.equal(ask('web.other'), 'forward');
  assert.equal(ask('example.com'), 'forward');
  assert.equal(ask('off'), 'forward');
  assert.equal(ask('4.0.0.10.in-addr.arpa', 'PTR'), 'forward');
});

test('answer() says of a known name that it has no other records', () => {
  assert.deepEqual(ask('web', 'AAAA'), found());
  assert.deepEqual(ask('web', 'MX'), found());
});

test('answer() knows the name of an address', () => {
  assert.deepEqual(ask('2.0.0.10.in-addr.arpa', 'PTR'), found('web.Back'));
});

test('answer() truncates what a client does not take in one datagram', () => {
  const many = Array.from({ length: 60 }, (_, index) => endpoint(`c${index}`, `10.0.1.${index}`, ['many']));
  const big = { ...network, endpoints: many };
  const query = (more: Partial<Packet> = {}) =>
    dnsPacket.encode({ type: 'query', id: 1, questions: [{ name: 'many', type: 'A' }], ...more });
  const of = (packet: Buffer, transport: 'udp' | 'tcp') => {
    const verdict = answer(packet, [big], transport);
    assert.ok(verdict.kind === 'answer');
    const { answers, flag_tc } = dnsPacket.decode(verdict.packet);
    return { size: verdict.packet.length, count: answers?.length ?? 0, truncated: flag_tc };
  };
  const plain = of(query(), 'udp');
  assert.ok(plain.size <= 512 && plain.count > 10 && plain.truncated);
  assert.deepEqual([of(query(), 'tcp').count, of(query(), 'tcp').truncated], [60, false]);
  const option = { type: 'OPT', name: '.', udpPayloadSize: 4096, extendedRcode: 0, ednsVersion: 0 } as const;
  assert.equal(
    of(query({ additionals: [{ ...option, flags: 0, flag_do: false, options: [] }] }), 'udp').count,
    60,
  );
});

test('answer() ignores what is no query', () => {
  assert.equal(answer(Buffer.from('x'), [network], 'udp').kind, 'ignore');
  assert.equal(answer(Buffer.alloc(12), [network], 'udp').kind, 'ignore');
  assert.equal(ask('web', 'A', { type: 'response' }), 'ignore');
});

test('answer() ignores what no query has and could take long to read', () => {
  const record = { type: 'A', name: 'web', data: '10.0.0.9' } as const;
  assert.equal(ask('web', 'A', { answers: [record] }), 'ignore');
  assert.equal(ask('web', 'A', { authorities: [record] }), 'ignore');
  assert.equal(ask('web', 'A', { additionals: [record, record, record] }), 'ignore');
  const long = { type: 'TXT' as const, name: 'web', data: Array<string>(5).fill('x'.repeat(250)) };
  assert.equal(ask('web', 'A', { additionals: [long] }), 'ignore');
  assert.deepEqual(ask('web', 'A', { additionals: [record] }), found('10.0.0.2'));
});

test('failureTo() is SERVFAIL with the question', () => {
  const query = dnsPacket.encode({ type: 'query', id: 9, questions: [{ name: 'x.y', type: 'A' }] });
  const packet = failureTo(query) ?? Buffer.alloc(0);
  const reply = dnsPacket.decode(packet);
  assert.deepEqual([reply.id, (packet[3] ?? 0) & 0xf, reply.questions?.[0]?.name], [9, 2, 'x.y']);
});
