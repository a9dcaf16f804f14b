import assert from 'node:assert/strict';
import { basename } from 'node:path';
import test from 'node:test';
import { connectRequest } from '../conformance/networks.ts';
import { ask, inside, outside, publish, recovered, serve, serveIn, sh } from '../support/networks-host.ts';

// What driver options of a network do. Runs in a network namespace of its own: see
// src/network/create-networks.test.ts.

const option = (name: string, value: string) => ({ Options: { [`com.docker.network.${name}`]: value } });

test('a port without an address is published on the one that its network binds', async (t) => {
  const { networks } = await recovered(t);
  await networks.create({ Name: 'local', ...option('bridge.host_binding_ipv4', '127.0.0.1') });
  const request = connectRequest('a', { networkMode: 'local', ...publish('', '8093') });
  const a = await networks.connect(request);
  await serveIn(t, a, 80);
  assert.deepEqual(a.ports['80/tcp'], [{ HostIp: '127.0.0.1', HostPort: '8093' }]);
  assert.notEqual(ask(undefined, '127.0.0.1', 8093), '');
  assert.equal(ask(outside.namespace, outside.host, 8093), '');
  const moved = await networks.republish({ ...request, ...publish('', '8094'), changed: ['80/tcp'] }, a);
  assert.deepEqual(moved.ports['80/tcp'], [{ HostIp: '127.0.0.1', HostPort: '8094' }]);
  // What it would not bind is no obstacle.
  const other = connectRequest('b', publish(outside.host, '8095'));
  await networks.connect(other);
  await networks.probePorts({ containerId: request.containerId, ...publish('', '8095') });
});

test('enable_icc=False parts containers, and container_iface_prefix names their interfaces', async (t) => {
  const { networks } = await recovered(t);
  await networks.create({ Name: 'apart', ...option('bridge.enable_icc', 'False') });
  await networks.create({ Name: 'named', ...option('container_iface_prefix', 'lan') });
  const a = await networks.connect(connectRequest('a', { networkMode: 'apart' }));
  const b = await networks.connect(
    connectRequest('b', { networkMode: 'apart', endpoints: { apart: {}, named: {} } }),
  );
  await serveIn(t, a, 80);
  assert.equal(ask(basename(b.namespacePath), a.endpoints['apart']?.IPAddress ?? '', 80), '');
  const joining = { ...connectRequest('a'), network: 'named', settings: {} };
  for (const connection of [b, await networks.join(joining, a)]) {
    assert.deepEqual(inside(connection, 'ip -br link').match(/^(eth|lan)\d/gm), ['eth0', 'lan0']);
  }
});

test('a bridge that a user names gets through the firewall of the host, and goes with its network', async (t) => {
  sh('iptables-nft -P FORWARD DROP');
  t.after(() => sh('iptables-nft -P FORWARD ACCEPT'));
  const { networks, again } = await recovered(t);
  await networks.create({ Name: 'web', ...option('bridge.name', 'web0') });
  const a = await networks.connect(connectRequest('a', { networkMode: 'web', ...publish('', '8096') }));
  await serveIn(t, a, 80);
  await serve(t, outside.namespace, 7003);
  const works = () => {
    assert.match(sh('ip -br link'), /^web0 /m);
    assert.equal(ask(basename(a.namespacePath), outside.address, 7003), outside.host);
    assert.equal(ask(outside.namespace, outside.host, 8096), outside.address);
  };
  works();
  await networks.shutdown({ keep: true });
  const later = again();
  await later.recover([{ containerId: 'a'.repeat(64), connection: a }]);
  works();
  await later.release('a'.repeat(64), a);
  await later.remove('web');
  assert.doesNotMatch(sh('ip -br link; nft list ruleset'), /web0/);
});

test('an engine removes a bridge with a name of a user that it does not know, but no link of others', async (t) => {
  const { networks, metadata, again } = await recovered(t);
  await networks.create({ Name: 'web', ...option('bridge.name', 'web0') });
  assert.match(sh('ip -br link'), /^web0 /m);
  // A crash came between the bridge and its row; and a stranger is called like another network's bridge.
  metadata.db.exec("DELETE FROM networks WHERE name = 'web'");
  const later = again();
  await later.recover([]);
  assert.doesNotMatch(sh('ip -br link'), /^web0 /m);
  await later.create({ Name: 'lost', ...option('bridge.name', 'lost0') });
  await later.shutdown({ keep: true });
  sh('ip link add lost0 type bridge');
  t.after(() => sh('ip link del lost0'));
  const refused = /Cannot bring up network "lost": the host has an interface lost0 of its own/;
  await assert.rejects(again().recover([]), refused);
  assert.match(sh('ip -br link'), /^lost0 /m);
});
