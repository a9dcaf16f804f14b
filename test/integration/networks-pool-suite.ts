import assert from 'node:assert/strict';
import test from 'node:test';
import { connectRequest } from '../conformance/networks.ts';
import { addressOf, inside, recovered } from '../support/networks-host.ts';

// Namespaces that stand ready on the default bridge. Runs in a network namespace of its own: see
// src/network/create-networks.test.ts.

test("a namespace from the pool is as one made on demand, and the kernel settings are Docker's", async (t) => {
  const { networks } = await recovered(t, { poolSize: 2 });
  for (const letter of ['a', 'b', 'c', 'd']) {
    const connection = await networks.connect(connectRequest(letter));
    const address = addressOf(connection);
    assert.ok(inside(connection, 'ip -o addr').includes(` ${address}/16 `));
    assert.ok(inside(connection, 'ip route').includes(`default via ${networks.gateway}`));
    assert.match(inside(connection, 'ip link show lo'), /LOOPBACK,UP/);
    assert.equal(inside(connection, 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start').trim(), '0');
    assert.equal(inside(connection, 'cat /proc/sys/net/ipv4/ping_group_range').trim(), '0\t2147483647');
  }
  assert.equal(Object.keys(networks.inspect('bridge').Containers).length, 4);
});

test('a default bridge with fewer addresses than the pool would take gives them all to containers', async (t) => {
  const { networks } = await recovered(t, { bip: '10.95.0.1/29', poolSize: 8 });
  const addresses = [];
  for (const letter of ['a', 'b', 'c', 'd', 'e']) {
    addresses.push(addressOf(await networks.connect(connectRequest(letter))));
  }
  assert.deepEqual(
    addresses.sort(),
    [2, 3, 4, 5, 6].map((host) => `10.95.0.${host}`),
  );
  await assert.rejects(networks.connect(connectRequest('f')), /no available IPv4 addresses/);
});

test('a small default bridge gives its last addresses to those who ask, not to the pool', async (t) => {
  const { networks } = await recovered(t, { bip: '10.95.0.1/29', poolSize: 8 });
  await networks.create({ Name: 'web' });
  const endpoints = { bridge: { MacAddress: '02:00:00:00:00:55' } };
  const last = await networks.connect(connectRequest('a', { endpoints }));
  for (const letter of ['b', 'c', 'd']) await networks.connect(connectRequest(letter, { endpoints }));
  const e = await networks.connect(connectRequest('e', { networkMode: 'web' }));
  const joining = { ...connectRequest('e'), network: 'bridge', settings: {} };
  const joined = await networks.join(joining, e);
  await assert.rejects(networks.connect(connectRequest('f')), /no available IPv4 addresses/);
  await networks.release('a'.repeat(64), last);
  const g = await networks.connect(connectRequest('g'));
  assert.equal(addressOf(g), addressOf(last));
  await networks.leave(joining, joined);
  assert.equal(addressOf(await networks.connect(connectRequest('h', { endpoints }))), addressOf(joined));
});
