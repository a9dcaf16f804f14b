import assert from 'node:assert/strict';
import test from 'node:test';
import { closeScript, openScript, parseForwardChains } from './host-firewall.ts';
import { insideLines, vethLines } from './links.ts';
import { portsScript, tableScript } from './rules.ts';

const rule = { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, address: '172.17.0.2', port: 80 };

test('portsScript() maps every address and single ones apart, and leaves IPv6 out', () => {
  const rules = [rule, { ...rule, hostIp: '127.0.0.1', hostPort: 81 }, { ...rule, hostIp: '::' }];
  assert.equal(
    portsScript('add', 'x', rules),
    'add element ip gantry-x published { tcp . 8080 : 172.17.0.2 . 80 }\n' +
      'add element ip gantry-x published_at { 127.0.0.1 . tcp . 81 : 172.17.0.2 . 80 }\n',
  );
  assert.equal(portsScript('delete', 'x', [rule]), 'delete element ip gantry-x published { tcp . 8080 }\n');
});

test('tableScript() masquerades only what leaves a bridge that may', () => {
  const bridge = { bridge: 'br0', subnet: '10.0.0.0/24', internal: false, masquerade: true, icc: true };
  const out = 'ip saddr 10.0.0.0/24 oifname != "br0" masquerade';
  assert.ok(tableScript('x', [bridge], []).includes(out));
  assert.ok(!tableScript('x', [{ ...bridge, internal: true }], []).includes(out));
  assert.ok(!tableScript('x', [{ ...bridge, masquerade: false }], []).includes(out));
  assert.ok(tableScript('x', [{ ...bridge, icc: false }], []).includes('iifname "br0" oifname "br0" drop'));
});

test('a veth pair goes to the bridge and into the namespace, with one default route', () => {
  const link = {
    namespace: 'ns',
    veth: 'v0',
    device: 'eth0',
    bridge: 'br0',
    isIsolated: true,
    mac: '02:42:0a:00:00:02',
    mtu: 1500,
    address: '10.0.0.2',
    prefix: 24,
    linkLocal: ['169.254.1.1'],
    sysctls: [],
    gateway: '10.0.0.1',
  };
  assert.match(vethLines(link)[0] ?? '', /^link add name v0 .* netns ns$/);
  assert.equal(vethLines(link).at(-1), 'link set dev v0 type bridge_slave isolated on');
  assert.doesNotMatch(vethLines({ ...link, isIsolated: false }).join(), /isolated/);
  const { gateway: _, ...second } = link;
  const routes = insideLines([link, second]).filter((line) => line.startsWith('route'));
  assert.deepEqual(routes, ['route add default via 10.0.0.1 dev eth0']);
  assert.ok(insideLines([link]).includes('addr add 169.254.1.1/16 dev eth0'));
});

test("parseForwardChains() takes firewalld's chain, whose policy accepts and whose last rule rejects", () => {
  const firewalld = { family: 'inet', table: 'firewalld', name: 'filter_FORWARD' };
  const chain = { ...firewalld, type: 'filter', hook: 'forward', policy: 'accept' };
  const json = JSON.stringify({ nftables: [{ chain }, { chain: { ...chain, name: 'mangle_FORWARD' } }] });
  assert.deepEqual(parseForwardChains(json), [{ ...firewalld, rules: [] }]);
});

test('rules in foreign forward chains are added once and removed by their comment', () => {
  const chain = { family: 'ip', table: 'filter', name: 'FORWARD', type: 'filter', hook: 'forward' };
  const json = (rules: readonly object[]) =>
    JSON.stringify({
      nftables: [
        { chain: { ...chain, policy: 'drop' } },
        { chain: { ...chain, table: 'gantry-y', name: 'forward', policy: 'accept' } },
        { chain: { ...chain, table: 'mine', name: 'f', policy: 'accept' } },
        ...rules.map((more) => ({ rule: { family: 'ip', table: 'filter', chain: 'FORWARD', ...more } })),
      ],
    });
  const fresh = parseForwardChains(json([{ handle: 3 }]));
  assert.equal(fresh.length, 1);
  assert.equal(openScript(fresh, ['gty*'], 'gantry-x').split('\n').length, 3);
  assert.equal(closeScript(fresh, 'gantry-x'), '');
  const ours = [4, 5].map((handle) => ({ handle, comment: 'gantry-x' }));
  const opened = parseForwardChains(json(ours));
  assert.equal(openScript(opened, ['gty*'], 'gantry-x'), '');
  assert.equal(
    closeScript(opened, 'gantry-x'),
    'delete rule ip filter FORWARD handle 4\ndelete rule ip filter FORWARD handle 5\n',
  );
  const [named] = parseForwardChains(json([{ handle: 6, comment: 'gantry-x old0' }, ...ours]));
  assert.ok(named);
  assert.equal(
    openScript([named], ['gty*', 'new0'], 'gantry-x'),
    'delete rule ip filter FORWARD handle 6\n' +
      'insert rule ip filter FORWARD iifname "new0" counter accept comment "gantry-x new0"\n' +
      'insert rule ip filter FORWARD oifname "new0" counter accept comment "gantry-x new0"\n',
  );
});
