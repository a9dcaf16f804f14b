import assert from 'node:assert/strict';
import test from 'node:test';
import type { IpamPool } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { chooseSubnet } from './addresses.ts';
import { checkCreateRequest, recordOf } from './create-request.ts';
import { inspectOf } from './inspect.ts';

const subnets = { pools: [], choose: () => chooseSubnet([]) };

test('recordOf() draws ids until the name of the bridge is free', () => {
  const taken = new Map([...'0123456789abcde'].map((digit) => [digit, undefined]));
  const { id, bridge } = recordOf({ Name: 'x' }, subnets, {
    taken,
    of: (networkId) => networkId.slice(0, 1),
  });
  assert.equal(bridge?.device, 'f');
  assert.match(id, /^f[0-9a-f]{63}$/);
});

const bridge = (name: string) => `com.docker.network.bridge.${name}`;

test("checkCreateRequest() refuses options that are no values in Docker's words, and those it cannot honour", () => {
  const failed = 'failed to parse';
  const word = 'strconv.ParseBool: parsing "maybe": invalid syntax';
  for (const [name, value, code, message] of [
    [bridge('enable_icc'), 'maybe', 'invalidArgument', `(${word})`],
    [bridge('enable_ip_masquerade'), 'maybe', 'invalidArgument', `(${word})`],
    [bridge('inhibit_ipv4'), 'maybe', 'invalidArgument', `(${word})`],
    [bridge('gateway_mode_ipv4'), 'x', 'invalidArgument', '(unknown gateway mode x)'],
    [bridge('host_binding_ipv4'), 'x', 'invalidArgument', '(nil ip)'],
    [bridge('name'), 'a/b', 'invalidArgument', '(invalid interface name)'],
    [bridge('name'), 'sixteen-letters-', 'invalidArgument', '(invalid interface name)'],
    [bridge('name'), 'gty01234567abcd', 'invalidArgument', '(the name is for bridges that engines name)'],
    ['com.docker.network.container_iface_prefix', 'a b', 'invalidArgument', '(invalid interface name)'],
    [bridge('inhibit_ipv4'), 'True', 'notImplemented', 'is not supported'],
    [bridge('gateway_mode_ipv4'), 'routed', 'notImplemented', 'is not supported'],
  ] as const) {
    const text =
      code === 'invalidArgument'
        ? `${failed} ${name} value: ${value} ${message}`
        : `network option ${name}=${value} ${message}`;
    assert.throws(
      () => checkCreateRequest({ Name: 'x', Options: { [name]: value } }),
      new EngineError(code, text),
      name,
    );
  }
  for (const [name, value] of [
    [bridge('inhibit_ipv4'), 'F'],
    [bridge('gateway_mode_ipv4'), 'nat'],
    ['org.example.anything', 'goes'],
  ] as const) {
    checkCreateRequest({ Name: 'x', Options: { [name]: value } });
  }
});

test('checkCreateRequest() refuses IPv6 as dockerd does where there is none', () => {
  assert.throws(() => checkCreateRequest({ Name: 'x', EnableIPv6: true }), {
    message: /^Cannot read IPv6 setup for bridge x: /,
  });
});

test('checkCreateRequest() refuses what would make another network than the one asked for', () => {
  for (const [request, code, message] of [
    [{ EnableIPv4: false }, 'notImplemented', 'networks without IPv4 are not supported'],
    [{ ConfigFrom: { Network: 'tmpl' } }, 'notFound', 'configuration network "tmpl" does not exist'],
    [
      { IPAM: { Driver: 'infoblox' } },
      'notFound',
      'could not find plugin infoblox in v1 plugin registry: plugin not found',
    ],
  ] as const) {
    assert.throws(() => checkCreateRequest({ Name: 'x', ...request }), new EngineError(code, message));
  }
  checkCreateRequest({
    Name: 'x',
    EnableIPv4: true,
    ConfigFrom: { Network: '' },
    IPAM: { Driver: 'default' },
  });
});

test('what inspect shows of a network of a given subnet is what was given, as terraform compares it', () => {
  const shown = (pool: IpamPool) => {
    const request = { Name: 'x', IPAM: { Config: [pool] } };
    return inspectOf(recordOf(request, subnets, { taken: new Map(), of: () => 'x' }), []).IPAM.Config;
  };
  const Subnet = '10.5.0.0/16';
  for (const pool of [
    { Subnet },
    { Subnet, Gateway: '10.5.0.9' },
    { Subnet, IPRange: '10.5.1.0/24', AuxiliaryAddresses: { a: '10.5.1.1' } },
  ]) {
    assert.deepEqual(shown(pool), [pool]);
  }
  assert.deepEqual(Object.keys(shown({})[0] ?? {}), ['Subnet', 'Gateway']);
});

test('recordOf() takes the name that a user gives a bridge, but none that is taken', () => {
  const record = recordOf({ Name: 'x' }, subnets, { taken: new Map(), of: () => 'chosen' });
  const taken = new Map([
    ['eth0', undefined],
    ['br0', record],
  ]);
  const named = (device: string) =>
    recordOf({ Name: 'y', Options: { [bridge('name')]: device } }, subnets, { taken, of: () => 'chosen' });
  assert.equal(named('br1').bridge?.device, 'br1');
  assert.throws(
    () => named('br0'),
    /^EngineError: cannot create network [0-9a-f]{64} \(br0\): conflicts with network [0-9a-f]{64} \(br0\): networks have same bridge name$/,
  );
  assert.throws(
    () => named('eth0'),
    new EngineError('conflict', 'cannot create network y: the host has an interface eth0 of its own'),
  );
});
