import assert from 'node:assert/strict';
import test from 'node:test';
import { connectRequest } from '../conformance/networks.ts';
import { ask, askRelay, outside, publish, recovered, serveIn, sh } from '../support/networks-host.ts';

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
