import assert from 'node:assert/strict';
import test from 'node:test';
import {
  chooseAddress,
  chooseSubnet,
  contains,
  countFree,
  defaultPools,
  formatSubnet,
  overlaps,
  parseSubnet,
  takenSubnets,
} from './addresses.ts';

test('parseSubnet() drops the host bits and refuses nonsense', () => {
  assert.equal(formatSubnet(parseSubnet('172.17.5.1/16')), '172.17.0.0/16');
  assert.equal(formatSubnet(parseSubnet('0.0.0.0/0')), '0.0.0.0/0');
  assert.equal(formatSubnet(parseSubnet('255.255.255.255/32')), '255.255.255.255/32');
  for (const text of ['', '10.0.0.0', '10.0.0/8', '10.0.0.0/33', '10.0.0.256/8', '10.0.0.0/x']) {
    assert.throws(() => parseSubnet(text), /invalid/);
  }
});

test('overlaps() and contains() see ranges within each other', () => {
  assert.ok(overlaps(parseSubnet('10.0.0.0/8'), parseSubnet('10.1.2.0/24')));
  assert.ok(overlaps(parseSubnet('10.1.2.0/24'), parseSubnet('10.0.0.0/8')));
  assert.ok(!overlaps(parseSubnet('10.0.0.0/24'), parseSubnet('10.0.1.0/24')));
  assert.ok(contains(parseSubnet('192.168.16.0/20'), '192.168.31.255'));
  assert.ok(!contains(parseSubnet('192.168.16.0/20'), '192.168.32.0'));
});

test("chooseSubnet() goes through Docker's pools in order", () => {
  assert.equal(defaultPools.length, 31);
  assert.equal(formatSubnet(chooseSubnet([])), '172.17.0.0/16');
  assert.equal(formatSubnet(chooseSubnet([parseSubnet('172.17.3.0/24')])), '172.18.0.0/16');
  assert.equal(formatSubnet(chooseSubnet([parseSubnet('172.16.0.0/12')])), '192.168.0.0/20');
  assert.throws(() => chooseSubnet([parseSubnet('0.0.0.0/0')]), /all predefined address pools/);
});

test('chooseAddress() lets an address rest, skips the ends and comes round', () => {
  const subnet = parseSubnet('10.0.0.0/29');
  const used = new Set(['10.0.0.1']);
  assert.equal(chooseAddress({ subnet, used }), '10.0.0.2');
  assert.equal(chooseAddress({ subnet, used, last: '10.0.0.2' }), '10.0.0.3');
  assert.equal(chooseAddress({ subnet, used, last: '10.0.0.6' }), '10.0.0.2');
  const range = parseSubnet('10.0.0.4/30');
  assert.equal(chooseAddress({ subnet, used, range }), '10.0.0.4');
  assert.equal(chooseAddress({ subnet, used, range, last: '10.0.0.6' }), '10.0.0.4');
  for (let last = 2; last <= 6; last += 1) used.add(`10.0.0.${last}`);
  assert.throws(() => chooseAddress({ subnet, used }), /no available IPv4 addresses/);
});

test('countFree() counts what chooseAddress() could give', () => {
  const subnet = parseSubnet('10.0.0.0/29');
  const used = new Set(['10.0.0.1', '10.0.0.6', '10.0.0.7']);
  assert.equal(countFree({ subnet, used }), 4);
  assert.equal(countFree({ subnet, used, range: parseSubnet('10.0.0.4/30') }), 2);
  assert.equal(countFree({ subnet: parseSubnet('10.0.0.0/32'), used }), 0);
});

test('takenSubnets() takes what is on a link of others and the name servers, not what is routed elsewhere', () => {
  const links = [
    { ifname: 'eth0', addr_info: [{ family: 'inet', local: '10.1.2.3', prefixlen: 24 }] },
    { ifname: 'gtyours', addr_info: [{ family: 'inet', local: '172.17.0.1', prefixlen: 16 }] },
    { ifname: 'lo', addr_info: [{ family: 'inet6', local: '::1', prefixlen: 128 }] },
  ];
  const routes = [
    { dst: 'default', dev: 'eth0' },
    { dst: 'default', dev: 'wg0', scope: 'link' },
    { dst: '0.0.0.0/1', dev: 'tun0' },
    { dst: '128.0.0.0/1', dev: 'wg0', scope: 'link' },
    { dst: '10.9.0.0/16', dev: 'eth0', scope: 'link' },
    { dst: '10.8.0.1', dev: 'eth0', scope: 'link' },
    { dst: '10.7.0.0/16', dev: 'eth0' },
    { dst: '172.17.0.0/16', dev: 'gtyours', scope: 'link' },
  ];
  const host = { links, routes, nameservers: ['172.18.0.53', 'fd00::53'] };
  assert.deepEqual(takenSubnets(host, (name) => name === 'gtyours').map(formatSubnet), [
    '10.1.2.0/24',
    '10.9.0.0/16',
    '10.8.0.1/32',
    '172.18.0.53/32',
  ]);
});
