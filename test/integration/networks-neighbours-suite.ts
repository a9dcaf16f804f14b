import assert from 'node:assert/strict';
import { basename } from 'node:path';
import test from 'node:test';
import { makeBridge } from '../../src/network/bridges.ts';
import { kernelNames } from '../../src/network/kernel.ts';
import { connectRequest } from '../conformance/networks.ts';
import { ask, askRelay, outside, publish, recovered, serve, serveIn, sh } from '../support/networks-host.ts';

// What others do to an engine's networks: neighbours on the wire, and the host's own administrator. Runs in a network
// namespace of its own: see src/network/create-networks.test.ts.

test("a neighbour that routes the host's 127.0.0.1 to it reaches nothing that is published there", async (t) => {
  const { networks } = await recovered(t);
  const a = await networks.connect(connectRequest('a', publish('127.0.0.1', '8081')));
  await serveIn(t, a, 80);
  assert.equal(ask(undefined, '127.0.0.1', 8081), networks.gateway);
  // Without one of its own, 127.0.0.1 is an address like any other to the neighbour.
  sh(`ip -n outside addr del 127.0.0.1/8 dev lo
    ip -n outside route add 127.0.0.1 via ${outside.host}
    ip netns exec outside sysctl -qw net.ipv4.conf.eth0.route_localnet=1`);
  t.after(() => {
    sh(`ip netns exec outside sysctl -qw net.ipv4.conf.eth0.route_localnet=0
      ip -n outside route del 127.0.0.1
      ip -n outside addr add 127.0.0.1/8 dev lo`);
  });
  assert.equal(ask(outside.namespace, '127.0.0.1', 8081), '');
  // Nor by the socket that holds the port, where somebody lets 127.0.0.1 in.
  sh('sysctl -qw net.ipv4.conf.up0.route_localnet=1');
  t.after(() => sh('sysctl -qw net.ipv4.conf.up0.route_localnet=0'));
  assert.equal(await askRelay(outside.namespace, '127.0.0.1', 8081), '');
  assert.equal(ask(undefined, '127.0.0.1', 8081), networks.gateway);
});

test('a host that did not forward before becomes no router between its neighbours', async (t) => {
  sh(`ip netns add second
    ip link add up1 type veth peer name eth0 netns second
    ip addr add 192.0.2.1/24 dev up1
    ip link set up1 up
    ip -n second addr add 192.0.2.2/24 dev eth0
    ip -n second link set eth0 up
    ip -n second route add default via 192.0.2.1
    ip -n outside route add 192.0.2.0/24 via ${outside.host}`);
  t.after(() => sh('ip -n outside route del 192.0.2.0/24; ip link del up1; ip netns del second'));
  sh('sysctl -qw net.ipv4.ip_forward=0');
  const { networks } = await recovered(t);
  await serve(t, 'second', 7004);
  const a = await networks.connect(connectRequest('a'));
  const reached = () => ask(outside.namespace, '192.0.2.2', 7004);
  assert.equal(reached(), '');
  assert.equal(ask(basename(a.namespacePath), '192.0.2.2', 7004), '192.0.2.1');
  await networks.shutdown({ keep: false });
  assert.equal(reached(), '');
  sh('nft delete table ip gantry-forwarding');
  assert.equal(reached(), outside.address);
});

test("makeBridge() leaves another's link of that name alone, and nothing of its own when it fails", async (t) => {
  const bridge = { device: 'taken0', subnet: '10.96.0.0/24', gateway: '10.96.0.1', mtu: 1500 };
  // Good enough for a MAC, but `ip` takes no such number.
  const unusable = { ...bridge, device: 'half0', gateway: '1e1.96.0.1' };
  sh('ip link add taken0 type bridge');
  t.after(() => sh('ip link del taken0'));
  const names = kernelNames('0'.repeat(8));
  const id = 'f'.repeat(64);
  await assert.rejects(makeBridge(names, { id, bridge }), /File exists/);
  await assert.rejects(makeBridge(names, { id, bridge: unusable }), /1e1\.96\.0\.1/);
  const links = sh('ip -o link');
  assert.match(links, / taken0:/);
  assert.doesNotMatch(links, / half0:|gty00000000/);
});

test('networks are made and removed after somebody flushed the firewall, with the rules of all others', async (t) => {
  const { networks, instance } = await recovered(t);
  const a = await networks.connect(connectRequest('a', publish('', '8091')));
  await serveIn(t, a, 80);
  sh('nft flush ruleset');
  await networks.create({ Name: 'web' });
  assert.equal(ask(outside.namespace, outside.host, 8091), outside.address);
  const b = await networks.connect(connectRequest('b', { networkMode: 'web', ...publish('', '8092') }));
  await serveIn(t, b, 80);
  assert.equal(ask(outside.namespace, outside.host, 8092), outside.address);
  await networks.release('b'.repeat(64), b);
  sh('nft flush ruleset');
  await networks.remove('web');
  assert.equal(ask(outside.namespace, outside.host, 8091), outside.address);
  assert.equal(sh(`ip -br link | grep -o '^gty${instance}[^ ]*'`).trim(), `gty${instance}`);
});

test("a VPN's routes keep no engine from starting, and no user from a range that is the user's to know", async (t) => {
  const routes = ['0.0.0.0/1', '128.0.0.0/1', '10.94.0.0/16'];
  for (const route of routes) sh(`ip route add ${route} via ${outside.address}`);
  sh('ip link add vpn0 type bridge && ip addr add 10.93.0.5/16 dev vpn0 && ip link set vpn0 up');
  t.after(() => {
    sh('ip link del vpn0');
    for (const route of routes) sh(`ip route del ${route}`);
  });
  const { networks } = await recovered(t);
  for (const Subnet of ['10.94.1.0/24', '10.93.1.0/24']) {
    await networks.create({ Name: Subnet.slice(0, 7), IPAM: { Config: [{ Subnet }] } });
  }
  await assert.rejects(
    networks.create({ Name: 'twice', IPAM: { Config: [{ Subnet: '10.94.0.0/16' }] } }),
    /Pool overlaps with other one on this address space/,
  );
});
