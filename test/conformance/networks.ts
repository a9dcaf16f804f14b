import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { EngineError, isCode } from '../../src/errors/index.ts';
import type { Connection, ConnectRequest, Networks } from '../../src/network/index.ts';

const none = new Map<string, readonly string[]>();

/** A request of a container whose id is `letter` 64 times. */
export function connectRequest(letter: string, more: Partial<ConnectRequest> = {}): ConnectRequest {
  return {
    containerId: letter.repeat(64),
    containerName: `name-${letter}`,
    networkMode: 'default',
    endpoints: {},
    portBindings: {},
    ...more,
  };
}

/** What every implementation of `Networks` promises. `make` gives one that has recovered. */
export function networksConformance(make: (t: TestContext) => Promise<Networks>): void {
  test('the built-in networks are there and cannot be removed', async (t) => {
    const networks = await make(t);
    assert.deepEqual(
      networks
        .list(none)
        .map(({ Name, Driver }) => `${Name} ${Driver}`)
        .sort(),
      ['bridge bridge', 'host host', 'none null'],
    );
    await assert.rejects(
      networks.remove('bridge'),
      new EngineError('forbidden', 'bridge is a pre-defined network and cannot be removed'),
    );
    assert.equal(networks.inspect('bridge').IPAM.Config[0]?.Gateway, networks.gateway);
  });

  test('connect() gives each container its own address, and inspect() shows it until release()', async (t) => {
    const networks = await make(t);
    const a = await networks.connect(connectRequest('a'));
    const b = await networks.connect(connectRequest('b'));
    const [first, second] = [a.endpoints['bridge'], b.endpoints['bridge']];
    assert.ok(first && second);
    assert.notEqual(first.IPAddress, second.IPAddress);
    assert.notEqual(a.namespacePath, b.namespacePath);
    assert.equal(first.Gateway, networks.gateway);
    assert.ok(existsSync(a.namespacePath));
    const shown = networks.inspect('bridge').Containers['a'.repeat(64)];
    assert.equal(shown?.Name, 'name-a');
    assert.equal(shown.IPv4Address, `${first.IPAddress}/${first.IPPrefixLen}`);
    await networks.release('a'.repeat(64), a);
    await networks.release('a'.repeat(64), a);
    assert.deepEqual(Object.keys(networks.inspect('bridge').Containers), ['b'.repeat(64)]);
    await networks.release('b'.repeat(64), b);
  });

  test('connect() at an address gets that of a container released a moment ago', async (t) => {
    const networks = await make(t);
    await networks.create({ Name: 'web', IPAM: { Config: [{ Subnet: '10.99.7.0/24' }] } });
    const at = { web: { IPAMConfig: { IPv4Address: '10.99.7.20' } } };
    const a = await networks.connect(connectRequest('a', { networkMode: 'web', endpoints: at }));
    await networks.release('a'.repeat(64), a);
    const b = await networks.connect(connectRequest('b', { networkMode: 'web', endpoints: at }));
    assert.equal(b.endpoints['web']?.IPAddress, '10.99.7.20');
    await networks.release('b'.repeat(64), b);
    await networks.remove('web');
  });

  test('connect() to none has a namespace without an address', async (t) => {
    const networks = await make(t);
    const connection = await networks.connect(connectRequest('a', { networkMode: 'none' }));
    assert.equal(connection.endpoints['none']?.IPAddress, '');
    assert.ok(existsSync(connection.namespacePath));
    await networks.release('a'.repeat(64), connection);
  });

  test('connect() chooses a host port, and refuses one that another container has', async (t) => {
    const networks = await make(t);
    const any = { '80/tcp': [{ HostIp: '', HostPort: '' }], '81/tcp': null };
    const a = await networks.connect(connectRequest('a', { portBindings: any }));
    const HostPort = a.ports['80/tcp']?.[0]?.HostPort ?? '';
    assert.ok(Number(HostPort) >= 1024);
    assert.equal(a.ports['81/tcp'], null);
    const same = { '80/tcp': [{ HostIp: '', HostPort }] };
    const request = connectRequest('b', { portBindings: same });
    await assert.rejects(networks.connect(request), (error: Error) => {
      assert.ok(isCode(error, 'internal'));
      assert.match(
        error.message,
        /^driver failed programming external connectivity on endpoint name-b \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:\d+ failed: port is already allocated$/,
      );
      return true;
    });
    assert.deepEqual(Object.keys(networks.inspect('bridge').Containers), ['a'.repeat(64)]);
    await networks.release('a'.repeat(64), a);
    await networks.release('b'.repeat(64), await networks.connect(request));
  });

  test('hold() keeps addresses for a container over a release and a failed connect()', async (t) => {
    const networks = await make(t);
    await networks.create({ Name: 'web' });
    const more = { networkMode: 'bridge', endpoints: { bridge: {}, web: {} } };
    const first = await networks.connect(connectRequest('a', more));
    const addressesOf = ({ endpoints }: Connection) =>
      Object.fromEntries(
        Object.values(endpoints).map(({ NetworkID, IPAddress }) => [NetworkID, IPAddress] as const),
      );
    const addresses = addressesOf(first);
    const containerId = 'a'.repeat(64);
    networks.hold({ containerId, addresses });
    await networks.release(containerId, first);
    await assert.rejects(networks.remove('web'), /network web has active endpoints/);
    assert.deepEqual(await networks.prune(none), { NetworksDeleted: [] });
    const other = await networks.connect(connectRequest('b', more));
    for (const address of Object.values(addressesOf(other))) {
      assert.ok(!Object.values(addresses).includes(address), address);
    }
    const portBindings = { '80/tcp': [{ HostIp: '203.0.113.77', HostPort: '80' }] };
    await assert.rejects(networks.connect(connectRequest('a', { ...more, portBindings })), /cannot assign/);
    const again = await networks.connect(connectRequest('a', more));
    assert.deepEqual(addressesOf(again), addresses);
    assert.deepEqual(
      Object.values(again.endpoints).map(({ MacAddress }) => MacAddress),
      Object.values(first.endpoints).map(({ MacAddress }) => MacAddress),
    );
    networks.letGo(containerId);
    await networks.release(containerId, again);
    await networks.release('b'.repeat(64), other);
  });

  test('letGo() frees an address once its interface is gone, and leaves it to whoever has it then', async (t) => {
    const networks = await make(t);
    const { Id } = await networks.create({ Name: 'web', IPAM: { Config: [{ Subnet: '10.99.7.0/24' }] } });
    const at = { web: { IPAMConfig: { IPv4Address: '10.99.7.20' } } };
    const request = (letter: string) => connectRequest(letter, { networkMode: 'web', endpoints: at });
    const containerId = 'a'.repeat(64);
    networks.hold({ containerId, addresses: { [Id]: '10.99.7.20' } });
    await networks.release(containerId, await networks.connect(request('a')));
    networks.letGo(containerId);
    const b = await networks.connect(request('b'));
    await assert.rejects(networks.connect(request('c')), /Address already in use/);
    await networks.release('b'.repeat(64), b);
    await networks.remove('web');
  });

  test('a network stays while a container is about to join it, and can go when that failed', async (t) => {
    const networks = await make(t);
    await networks.create({ Name: 'web' });
    await networks.create({ Name: 'more' });
    const refused = (name: string) =>
      new EngineError(
        'forbidden',
        `error while removing network: network ${name} has active endpoints (id:"aaaaaaaaaaaa")`,
      );
    const request = connectRequest('a', { networkMode: 'web', endpoints: { web: {}, more: {} } });
    const failing = { '80/tcp': [{ HostIp: '203.0.113.77', HostPort: '80' }] };
    const failed = assert.rejects(networks.connect({ ...request, portBindings: failing }), /cannot assign/);
    await assert.rejects(networks.remove('web'), refused('web'));
    assert.deepEqual(await networks.prune(none), { NetworksDeleted: [] });
    await failed;
    await networks.remove('more');
    await networks.create({ Name: 'more' });
    const connected = networks.connect({ ...request, endpoints: {} });
    await assert.rejects(networks.remove('web'), refused('web'));
    const connection = await connected;
    const joined = networks.join({ ...request, network: 'more', settings: {} }, connection);
    await assert.rejects(networks.remove('more'), refused('more'));
    await networks.release(request.containerId, await joined);
    assert.deepEqual(await networks.prune(none), { NetworksDeleted: ['web', 'more'] });
  });

  test('rename() changes the name that others know, and nothing else', async (t) => {
    const networks = await make(t);
    await networks.create({ Name: 'web' });
    const more = { networkMode: 'web', endpoints: { web: { Aliases: ['w', 'name-a'] } }, hostname: 'host-a' };
    const before = await networks.connect(connectRequest('a', more));
    const containerId = 'a'.repeat(64);
    const after = networks.rename({ containerId, containerName: 'new', hostname: 'host-a' }, before);
    const { web } = after.endpoints;
    assert.deepEqual(web?.DNSNames, ['new', 'w', 'name-a', 'a'.repeat(12), 'host-a']);
    assert.deepEqual(
      { ...after, endpoints: { web: { ...web, DNSNames: before.endpoints['web']?.DNSNames } } },
      before,
    );
    assert.equal(networks.inspect('web').Containers[containerId]?.Name, 'new');
    await networks.release(containerId, after);
  });

  test('probePorts() rejects for ports of others only', async (t) => {
    const networks = await make(t);
    const any = { '80/tcp': [{ HostIp: '', HostPort: '' }] };
    const a = await networks.connect(connectRequest('a', { portBindings: any }));
    const HostPort = a.ports['80/tcp']?.[0]?.HostPort ?? '';
    const portBindings = { '81/tcp': [{ HostIp: '', HostPort }], '82/tcp': [{ HostIp: '', HostPort: '' }] };
    await networks.probePorts({ containerId: 'a'.repeat(64), portBindings });
    await assert.rejects(
      networks.probePorts({ containerId: 'b'.repeat(64), portBindings }),
      new EngineError('internal', `Bind for 0.0.0.0:${HostPort} failed: port is already allocated`),
    );
    await networks.release('a'.repeat(64), a);
    await networks.probePorts({ containerId: 'b'.repeat(64), portBindings });
    await networks.release('b'.repeat(64), await networks.connect(connectRequest('b', { portBindings })));
  });

  test('republish() changes the ports it is told of, or none', async (t) => {
    const networks = await make(t);
    const one = (HostPort: string) => [{ HostIp: '127.0.0.1', HostPort }];
    const a = await networks.connect(
      connectRequest('a', { portBindings: { '80/tcp': one(''), '81/tcp': one('') } }),
    );
    const request = { containerId: 'a'.repeat(64), containerName: 'name-a' };
    const [kept, moved] = [a.ports['80/tcp'] ?? [], a.ports['81/tcp'] ?? []];
    const portBindings = { '80/tcp': one(''), '82/tcp': moved };
    const b = await networks.republish({ ...request, portBindings, changed: ['81/tcp', '82/tcp'] }, a);
    assert.deepEqual(b, { ...a, ports: { '80/tcp': kept, '82/tcp': moved } });
    const clash = { '80/tcp': one(''), '82/tcp': one(''), '83/tcp': kept };
    await assert.rejects(
      networks.republish({ ...request, portBindings: clash, changed: ['82/tcp', '83/tcp'] }, b),
      /endpoint name-a \([0-9a-f]{64}\): Bind for 127\.0\.0\.1:\d+ failed: port is already allocated$/,
    );
    const other = connectRequest('b', { portBindings: { '80/tcp': moved } });
    await assert.rejects(networks.connect(other), /port is already allocated/);
    const c = await networks.republish({ ...request, portBindings: {}, changed: ['80/tcp', '82/tcp'] }, b);
    assert.deepEqual(c.ports, {});
    await networks.release('b'.repeat(64), await networks.connect(other));
    await networks.release('a'.repeat(64), c);
  });

  test('connect() of an unknown network, a bad port or a bad address changes nothing', async (t) => {
    const networks = await make(t);
    const unknown = connectRequest('a', { networkMode: 'nope' });
    await assert.rejects(networks.connect(unknown), new EngineError('notFound', 'network nope not found'));
    for (const [key, HostIp, HostPort] of [
      ['x/tcp', '', ''],
      ['80/icmp', '', ''],
      ['80/tcp', 'nowhere', ''],
      ['80/tcp', '', '70000'],
    ] as const) {
      const request = connectRequest('a', { portBindings: { [key]: [{ HostIp, HostPort }] } });
      await assert.rejects(networks.connect(request), (error) => isCode(error, 'invalidArgument'));
    }
    assert.deepEqual(networks.inspect('bridge').Containers, {});
  });

  test('list() takes names and ids as regular expressions', async (t) => {
    const networks = await make(t);
    const { Id } = await networks.create({ Name: 'web' });
    const names = (key: string, value: string) =>
      networks.list(new Map([[key, [value]]])).map(({ Name }) => Name);
    assert.deepEqual(names('name', 'we'), ['web']);
    assert.deepEqual(names('name', '^/?web$'), ['web']);
    assert.deepEqual(names('name', '^we$'), []);
    assert.deepEqual(names('name', 'web|none').sort(), ['none', 'web']);
    assert.deepEqual(names('id', Id.slice(0, 10)), ['web']);
    assert.deepEqual(names('id', `^/?${Id}$`), ['web']);
    await networks.remove('web');
  });

  test('create() makes a network that containers join, and remove() refuses while they do', async (t) => {
    const networks = await make(t);
    const { Id } = await networks.create({ Name: 'web', Labels: { app: 'shop' } });
    await assert.rejects(
      networks.create({ Name: 'web' }),
      new EngineError('conflict', 'network with name web already exists'),
    );
    assert.equal(networks.inspect(Id.slice(0, 10)).Name, 'web');
    assert.deepEqual(
      networks.list(new Map([['label', ['app=shop']]])).map(({ Name }) => Name),
      ['web'],
    );
    const more = { networkMode: 'web', endpoints: { web: { Aliases: ['w'] } }, hostname: 'host-a' };
    const connection = await networks.connect(connectRequest('a', more));
    assert.deepEqual(connection.endpoints['web']?.DNSNames, ['name-a', 'w', 'a'.repeat(12), 'host-a']);
    await assert.rejects(networks.remove('web'), /network web has active endpoints \(name:"name-a" id:"/);
    await networks.release('a'.repeat(64), connection);
    await networks.remove('web');
    assert.throws(() => networks.inspect('web'), new EngineError('notFound', 'network web not found'));
  });

  test('create() refuses bad names, drivers and overlapping ranges', async (t) => {
    const networks = await make(t);
    await assert.rejects(networks.create({ Name: '' }), (error) => isCode(error, 'invalidArgument'));
    await assert.rejects(networks.create({ Name: 'host' }), (error) => isCode(error, 'forbidden'));
    await assert.rejects(networks.create({ Name: 'x', Driver: 'foo' }), (error) => isCode(error, 'notFound'));
    const Subnet = networks.inspect('bridge').IPAM.Config[0]?.Subnet ?? '';
    await assert.rejects(networks.create({ Name: 'x', IPAM: { Config: [{ Subnet }] } }), /Pool overlaps/);
    assert.equal(networks.list(none).length, 3);
  });

  test('assertJoinable() tells of a container that does not run what join() would', async (t) => {
    const networks = await make(t);
    await networks.create({ Name: 'web' });
    const at = (IPv4Address: string) => ({ IPAMConfig: { IPv4Address } });
    for (const [network, settings, joined, code] of [
      ['nope', {}, [], 'notFound'],
      ['host', {}, [], 'invalidArgument'],
      ['none', {}, ['web'], 'forbidden'],
      ['web', {}, ['none'], 'forbidden'],
      ['bridge', at(networks.gateway), [], 'invalidArgument'],
      ['web', at('203.0.113.9'), [], 'invalidArgument'],
    ] as const) {
      assert.throws(
        () => networks.assertJoinable({ network, settings }, joined),
        (error) => isCode(error, code),
        `${network} ${code}`,
      );
    }
    networks.assertJoinable({ network: 'web', settings: {} }, ['bridge']);
    await networks.remove('web');
  });

  test('prune() removes networks nobody uses', async (t) => {
    const networks = await make(t);
    await networks.create({ Name: 'used' });
    await networks.create({ Name: 'unused' });
    const connection = await networks.connect(connectRequest('a', { networkMode: 'used' }));
    const pruned = networks.prune(none);
    const refusal = { code: 'conflict', message: 'a prune operation is already running' };
    await assert.rejects(networks.prune(none), refusal);
    assert.deepEqual(await pruned, { NetworksDeleted: ['unused'] });
    await networks.release('a'.repeat(64), connection);
  });
}
