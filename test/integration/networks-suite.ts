import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectRequest, networksConformance } from '../conformance/networks.ts';
import {
  addressOf,
  ask,
  askUdp,
  fixture,
  inside,
  outside,
  publish,
  recovered,
  serve,
  serveIn,
  sh,
  traces,
} from '../support/networks-host.ts';

// Runs in a network namespace of its own: see src/network/create-networks.test.ts.

networksConformance(async (t) => (await recovered(t)).networks);

test('a container reaches the outside with the address of the host', async (t) => {
  const { networks } = await recovered(t);
  const a = await networks.connect(connectRequest('a'));
  await serve(t, outside.namespace, 7000);
  assert.equal(ask(basename(a.namespacePath), outside.address, 7000), outside.host);
});

test('a published port answers on localhost, the host, from outside, from others and itself', async (t) => {
  const { networks } = await recovered(t);
  const a = await networks.connect(connectRequest('a', publish('', '8080')));
  const b = await networks.connect(connectRequest('b'));
  await serveIn(t, a, 80);
  assert.deepEqual(a.ports['80/tcp'], [
    { HostIp: '0.0.0.0', HostPort: '8080' },
    { HostIp: '::', HostPort: '8080' },
  ]);
  const gateway = networks.gateway;
  assert.equal(ask(undefined, '127.0.0.1', 8080), gateway);
  assert.equal(ask(undefined, outside.host, 8080), outside.host);
  assert.equal(ask(outside.namespace, outside.host, 8080), outside.address);
  assert.equal(ask(basename(b.namespacePath), gateway, 8080), gateway);
  assert.equal(ask(basename(a.namespacePath), gateway, 8080), gateway);
  assert.equal(ask(basename(b.namespacePath), addressOf(a), 80), addressOf(b));
  // This process itself relays IPv6, so the client must not block it.
  const client = spawn(process.execPath, ['-e', `require('net').connect(8080, '::1').pipe(process.stdout)`]);
  const [answer] = (await once(client.stdout, 'data')) as [Buffer];
  assert.equal(answer.toString(), gateway);
});

test('a port published on 127.0.0.1 and one not published cannot be reached from outside', async (t) => {
  const { networks } = await recovered(t);
  const a = await networks.connect(connectRequest('a', publish('127.0.0.1', '8081')));
  await serveIn(t, a, 80);
  await serveIn(t, a, 81);
  assert.equal(ask(undefined, '127.0.0.1', 8081), networks.gateway);
  assert.equal(ask(outside.namespace, outside.host, 8081), '');
  // A neighbour that routes to the container's own address past the host's ports.
  sh(`ip -n outside route add ${networks.inspect('bridge').IPAM.Config[0]?.Subnet} via ${outside.host}`);
  t.after(() => sh(`ip -n outside route del ${addressOf(a)}/16 2>/dev/null || true`));
  assert.equal(ask(outside.namespace, addressOf(a), 81), '');
});

test('a published UDP port answers', async (t) => {
  const { networks } = await recovered(t);
  const a = await networks.connect(connectRequest('a', publish('', '5353', '53/udp')));
  await serveIn(t, a, 53, 'udp');
  assert.deepEqual(a.ports['53/udp'], [
    { HostIp: '0.0.0.0', HostPort: '5353' },
    { HostIp: '::', HostPort: '5353' },
  ]);
  for (const address of ['127.0.0.1', outside.host, '::1']) {
    const socket = createSocket(address === '::1' ? 'udp6' : 'udp4');
    socket.send('x', 5353, address);
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
    assert.match(answer.toString(), /^\d+\.\d+\.\d+\.\d+$/);
    socket.close();
  }
});

test('a UDP client that keeps to its port reaches whoever has the host port now, and others go on', async (t) => {
  const { networks } = await recovered(t);
  const other = await networks.connect(connectRequest('o', publish('', '8098', '53/udp')));
  await serveIn(t, other, 53, 'udp');
  const reached = (port: number) => askUdp(outside.namespace, outside.host, port);
  assert.equal(reached(8098), outside.address);
  // The kernel remembers that there is nothing behind the port.
  assert.equal(reached(8097), '');
  const a = await networks.connect(connectRequest('a', publish('', '8097', '53/udp')));
  await serveIn(t, a, 53, 'udp');
  assert.equal(reached(8097), outside.address);
  await networks.release('a'.repeat(64), a);
  const remembered = sh('cat /proc/net/nf_conntrack');
  assert.doesNotMatch(remembered, /dport=8097/);
  assert.match(remembered, /sport=9999 dport=8098/);
  const b = await networks.connect(connectRequest('b', publish(outside.host, '8097', '53/udp')));
  await serveIn(t, b, 53, 'udp');
  assert.equal(reached(8097), outside.address);
  assert.notEqual(addressOf(b), addressOf(a));
});

test('connect() refuses a port that a process of the host has, and nothing remains', async (t) => {
  const { networks, instance } = await recovered(t);
  const server = createServer().listen(8082, '0.0.0.0');
  await once(server, 'listening');
  t.after(() => server.close());
  const before = traces(instance);
  await assert.rejects(
    networks.connect(connectRequest('a', publish('', '8082'))),
    /endpoint name-a \([0-9a-f]{64}\): failed to bind host port for 0\.0\.0\.0:8082:172\.\d+\.0\.\d+:80\/tcp: address already in use$/,
  );
  await assert.rejects(
    networks.connect(connectRequest('a', publish('198.51.100.1', '8083'))),
    /cannot assign requested address$/,
  );
  // The first free one of a range.
  const a = await networks.connect(connectRequest('a', publish('', '8082-8084')));
  assert.equal(a.ports['80/tcp']?.[0]?.HostPort, '8083');
  await networks.release('a'.repeat(64), a);
  await networks.shutdown({ keep: true });
  assert.notEqual(before, '');
  assert.equal(traces(instance), '');
});

test('a way onto a network that cannot be written down leaves no port and no endpoint', async (t) => {
  const { networks, metadata } = await recovered(t);
  for (const Name of ['web', 'inner']) await networks.create({ Name, Internal: Name === 'inner' });
  const inner = await networks.connect(connectRequest('b', { networkMode: 'inner' }));
  const connect = () => networks.connect(connectRequest('a', { networkMode: 'web', ...publish('', '8085') }));
  const joining = { ...connectRequest('b', publish('', '8086')), network: 'web', settings: {} };
  const join = () => networks.join(joining, inner);
  metadata.db.exec("CREATE TEMP TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(FAIL, 'full'); END");
  await assert.rejects(connect(), /full/);
  await assert.rejects(join(), /full/);
  assert.deepEqual(networks.inspect('web').Containers, {});
  assert.doesNotMatch(sh('nft list ruleset'), /808[56]/);
  metadata.db.exec('DROP TRIGGER full');
  await networks.release('a'.repeat(64), await connect());
  await networks.release('b'.repeat(64), await join());
  for (const name of ['web', 'inner']) await networks.remove(name);
});

test('shutdown() leaves nothing in the kernel', async (t) => {
  const { networks, instance } = await recovered(t, { poolSize: 2 });
  await networks.create({ Name: 'web' });
  await networks.connect(connectRequest('a', publish('', '')));
  await networks.connect(connectRequest('b', { networkMode: 'web' }));
  assert.notEqual(traces(instance), '');
  await networks.shutdown({ keep: false });
  assert.equal(traces(instance), '');
});

test('recover() after a crash keeps running containers and drops what others left', async (t) => {
  const { networks, instance, again } = await recovered(t, { poolSize: 2 });
  const a = await networks.connect(connectRequest('a', publish('', '8085')));
  const b = await networks.connect(connectRequest('b', publish('', '8086')));
  await networks.create({ Name: 'web' });
  const c = await networks.connect(connectRequest('c', { networkMode: 'web' }));
  await serveIn(t, a, 80);
  // What a killed daemon no longer holds; its kernel objects stay.
  await networks.shutdown({ keep: true });
  assert.equal(ask(undefined, '127.0.0.1', 8085), networks.gateway);

  const later = again();
  const running = [
    { containerId: 'a'.repeat(64), containerName: 'name-a', connection: a },
    { containerId: 'c'.repeat(64), connection: c },
  ];
  await later.recover(running);
  assert.equal(later.gateway, networks.gateway);
  assert.equal(ask(undefined, '127.0.0.1', 8085), later.gateway);
  assert.ok(!traces(instance).includes(basename(b.namespacePath)));
  assert.ok(!traces(instance).includes('8086'));
  assert.deepEqual(Object.keys(later.inspect('bridge').Containers), ['a'.repeat(64)]);
  assert.deepEqual(Object.keys(later.inspect('web').Containers), ['c'.repeat(64)]);
  const d = await later.connect(connectRequest('d'));
  assert.notEqual(addressOf(d), addressOf(a));
  await assert.rejects(later.connect(connectRequest('e', publish('', '8085'))), /already allocated/);
  for (const { containerId, connection } of running) await later.release(containerId, connection);
  await later.release('d'.repeat(64), d);
  await later.shutdown({ keep: true });
  assert.equal(traces(instance), '');
});

test('recover() makes a bridge anew that somebody deleted, with its containers on it', async (t) => {
  const { networks, instance, again } = await recovered(t);
  const a = await networks.connect(connectRequest('a', publish('', '8087')));
  await serveIn(t, a, 80);
  await networks.shutdown({ keep: true });
  sh(`ip link del gty${instance}; nft delete table ip gantry-${instance}`);
  const later = again();
  await later.recover([{ containerId: 'a'.repeat(64), connection: a }]);
  assert.equal(ask(undefined, '127.0.0.1', 8087), later.gateway);
});

test('several engines that start at once take different ranges and cannot reach into each other', async (t) => {
  const engines = [fixture(t), fixture(t), fixture(t)];
  await Promise.all(engines.map(async ({ networks }) => networks.recover([])));
  assert.equal(new Set(engines.map(({ networks }) => networks.gateway)).size, 3);
  const [one, two] = engines;
  assert.ok(one && two);
  const a = await one.networks.connect(connectRequest('a'));
  const b = await two.networks.connect(connectRequest('a'));
  await serveIn(t, a, 80);
  assert.equal(ask(basename(b.namespacePath), addressOf(a), 80), '');
  await one.networks.shutdown({ keep: false });
  assert.notEqual(traces(two.instance), '');
});

test('the default bridge takes the address asked for, and keeps its range over restarts', async (t) => {
  const { networks } = await recovered(t, { bip: '10.99.0.1/24' });
  assert.equal(networks.gateway, '10.99.0.1');
  assert.equal(networks.inspect('bridge').IPAM.Config[0]?.Subnet, '10.99.0.0/24');
  const other = await recovered(t);
  const before = other.networks.gateway;
  await other.networks.shutdown({ keep: false });
  const later = other.again();
  await later.recover([]);
  assert.equal(later.gateway, before);
});

for (const [kind, iptables] of [
  ['iptables-nft', 'iptables-nft'],
  ['iptables-legacy', 'iptables-legacy'],
] as const) {
  test(`containers get through a FORWARD chain of ${kind} that drops, until shutdown`, async (t) => {
    sh(`${iptables} -P FORWARD DROP`);
    t.after(() => sh(`${iptables} -P FORWARD ACCEPT`));
    const { networks, instance } = await recovered(t);
    const a = await networks.connect(connectRequest('a', publish('', '8088')));
    await serveIn(t, a, 80);
    await serve(t, outside.namespace, 7001);
    assert.equal(ask(basename(a.namespacePath), outside.address, 7001), outside.host);
    assert.equal(ask(outside.namespace, outside.host, 8088), outside.address);
    assert.ok(sh(`${iptables}-save`).includes(instance));
    await networks.shutdown({ keep: false });
    assert.ok(!sh(`${iptables}-save`).includes(instance));
  });
}

test('ports are published and taken back after somebody flushed the firewall', async (t) => {
  const { networks, instance } = await recovered(t);
  const a = await networks.connect(connectRequest('a', publish('', '8090')));
  sh(`nft delete table ip gantry-${instance}`);
  await networks.release('a'.repeat(64), a);
  sh(`nft delete table ip gantry-${instance}`);
  const b = await networks.connect(connectRequest('b', publish('', '8090')));
  await serveIn(t, b, 80);
  assert.equal(ask(undefined, '127.0.0.1', 8090), networks.gateway);
});

test('an internal network has no way out, and its containers reach each other', async (t) => {
  const { networks } = await recovered(t);
  await networks.create({ Name: 'inner', Internal: true, IPAM: { Config: [{ Subnet: '10.98.0.0/24' }] } });
  const on = (IPv4Address: string) => ({
    networkMode: 'inner',
    endpoints: { inner: { IPAMConfig: { IPv4Address } } },
  });
  const a = await networks.connect(connectRequest('a', on('10.98.0.77')));
  const b = await networks.connect(connectRequest('b', { networkMode: 'inner' }));
  await assert.rejects(networks.connect(connectRequest('c', on('10.98.0.77'))), /Address already in use/);
  await assert.rejects(networks.connect(connectRequest('c', on('10.97.0.1'))), /no configured subnet/);
  await serveIn(t, a, 80);
  await serve(t, outside.namespace, 7002);
  assert.equal(ask(basename(b.namespacePath), '10.98.0.77', 80), b.endpoints['inner']?.IPAddress);
  assert.equal(ask(basename(b.namespacePath), outside.address, 7002), '');
  // Nor one to what another network publishes on the host.
  const c = await networks.connect(connectRequest('c', publish('', '8080')));
  await serveIn(t, c, 80);
  assert.notEqual(ask(undefined, '10.98.0.1', 8080), '');
  assert.equal(ask(basename(b.namespacePath), '10.98.0.1', 8080), '');
});

test('a container on two networks has an interface on each', async (t) => {
  const { networks } = await recovered(t);
  await networks.create({ Name: 'one' });
  await networks.create({ Name: 'two' });
  const a = await networks.connect(
    connectRequest('a', { networkMode: 'one', endpoints: { one: {}, two: {} } }),
  );
  assert.deepEqual(Object.keys(a.endpoints), ['one', 'two']);
  const addresses = inside(a, 'ip -o -4 addr');
  for (const { IPAddress } of Object.values(a.endpoints)) assert.ok(addresses.includes(` ${IPAddress}/`));
  await networks.release('a'.repeat(64), a);
  await networks.remove('one');
});

test('the journal tells of networks made and used', async (t) => {
  const { networks, metadata } = await recovered(t);
  const { Id } = await networks.create({ Name: 'web' });
  const a = await networks.connect(connectRequest('a', { networkMode: 'web' }));
  await networks.release('a'.repeat(64), a);
  await networks.remove('web');
  const rows = [...metadata.journal.read({})];
  assert.deepEqual(
    rows.map(({ type, action, id }) => [type, action, id]),
    ['create', 'connect', 'disconnect', 'destroy'].map((action) => ['network', action, Id]),
  );
  assert.deepEqual(rows[1]?.attributes, { name: 'web', type: 'bridge', container: 'a'.repeat(64) });
});

test('connect() that is aborted leaves nothing', async (t) => {
  const { networks, instance } = await recovered(t);
  await networks.create({ Name: 'web' });
  const request = connectRequest('a', { networkMode: 'web' });
  await assert.rejects(networks.connect(request, AbortSignal.timeout(1)));
  await sleep(50);
  assert.ok(!traces(instance).includes('gty-'));
});
