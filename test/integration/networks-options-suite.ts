import assert from 'node:assert/strict';
import { basename } from 'node:path';
import test from 'node:test';
import { bridgeScript } from '../../src/network/bridges.ts';
import { kernelNames } from '../../src/network/kernel.ts';
import { connectRequest } from '../conformance/networks.ts';
import {
  ask,
  inside,
  outside,
  publish,
  recovered,
  serve,
  serveIn,
  sh,
  traces,
} from '../support/networks-host.ts';

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
  // Where the firewall does not see what a bridge carries, as on most hosts, and with br_netfilter.
  for (const seen of ['0', '1']) {
    sh(`! cd /proc/sys/net/bridge || echo ${seen} >bridge-nf-call-iptables`);
    assert.equal(ask(basename(b.namespacePath), a.endpoints['apart']?.IPAddress ?? '', 80), '');
  }
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

test('an engine removes a bridge with a name of a user that it does not know', async (t) => {
  const { networks, metadata, again } = await recovered(t);
  await networks.create({ Name: 'web', ...option('bridge.name', 'web0') });
  assert.match(sh('ip -br link'), /^web0 /m);
  // A crash came between the bridge and its row.
  metadata.db.exec("DELETE FROM networks WHERE name = 'web'");
  const later = again();
  await later.recover([]);
  assert.doesNotMatch(sh('ip -br link'), /^web0 /m);
});

test('a network whose interface somebody else made keeps no engine from starting, and leaves it alone', async (t) => {
  const { networks, again, warnings } = await recovered(t);
  const IPAM = { Config: [{ Subnet: '10.92.0.0/24' }] };
  await networks.create({ Name: 'lost', IPAM, ...option('bridge.name', 'lost0') });
  const a = await networks.connect(connectRequest('a', { networkMode: 'lost' }));
  const running = [{ containerId: 'a'.repeat(64), connection: a }];
  await networks.shutdown({ keep: true });
  sh('ip link del lost0 && ip link add lost0 type bridge && ip link set lost0 up');
  t.after(() => sh('ip link del lost0'));
  for (const address of ['10.91.0.1', a.endpoints['lost']?.Gateway]) {
    sh(`ip addr add ${address}/24 dev lost0`);
    const later = again();
    await later.recover(running);
    assert.equal(warnings.at(-1), 'Cannot bring up network "lost"');
    const refused = /^network lost is not up: the host has an interface lost0 of its own$/;
    const refusedAs = ({ message }: Error) => refused.test(message);
    await assert.rejects(later.connect(connectRequest('b', { networkMode: 'lost' })), refusedAs);
    const b = await later.connect(connectRequest('b'));
    const joining = { ...connectRequest('b'), network: 'lost', settings: {} };
    await assert.rejects(later.join(joining, b), refusedAs);
    await later.release(joining.containerId, b);
    assert.doesNotMatch(sh('nft list ruleset'), /lost0/);
    await later.shutdown({ keep: true });
    assert.equal(sh('ip -br link show master lost0'), '');
    assert.match(sh('ip -br addr'), /^lost0 .*10\.91\.0\.1/m);
  }
  const last = again();
  await last.recover([]);
  await last.remove('lost');
  assert.match(sh('ip -br addr'), /^lost0 /m);
  await assert.rejects(last.create({ Name: 'lost', ...option('bridge.name', 'lost0') }), /of its own/);
});

test('a bridge with a name of a user that was cut off in its making is made', async (t) => {
  const { networks, instance, again } = await recovered(t);
  const { Id } = await networks.create({ Name: 'web', ...option('bridge.name', 'web0') });
  const gateway = networks.inspect('web').IPAM.Config[0]?.Gateway ?? '';
  await networks.shutdown({ keep: true });
  const bridge = { device: 'web0', subnet: `${gateway}/16`, gateway, mtu: 1500 };
  const lines = bridgeScript(kernelNames(instance), { id: Id, bridge });
  for (let count = 1; count <= lines.length; count += 1) {
    sh(`ip -batch - <<'END'\n${lines.slice(0, count).join('\n')}\nEND`);
    const later = again();
    await later.recover([]);
    await later.connect(connectRequest('a', { networkMode: 'web' }));
    assert.ok(sh('ip -br addr show web0').includes(` ${gateway}/16 `), lines[count]);
    await later.shutdown({ keep: false });
    assert.equal(traces(instance), '', lines[count]);
  }
});
