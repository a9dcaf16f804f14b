import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import test, { after, describe } from 'node:test';
import type { ContainerInspect } from '../../src/api/index.ts';
import { macOf } from '../../src/lib/mac-of.ts';
import { type CommandResult, runCommand, startDaemon } from '../support/daemon.ts';
import { callEngine, getJson } from '../support/engine-call.ts';
import { until } from '../support/until.ts';

// The default network. The engine runs on a host of its own, a network namespace whose firewall drops what it
// forwards, as dockerd leaves it; a client stands on a wire beside it.

const names = { engine: `gantrytest-${process.pid}`, client: `gantrytest-${process.pid}-c` };
const engineAddress = '198.51.100.1';
const clientAddress = '198.51.100.2';

function ip(...args: string[]): void {
  const result = runCommand('ip', args);
  assert.equal(result.code, 0, `ip ${args.join(' ')}: ${result.stderr}`);
}

const within = (where: keyof typeof names, args: readonly string[], input?: string): CommandResult =>
  runCommand('nsenter', [`--net=/run/netns/${names[where]}`, ...args], {
    timeoutMs: 20_000,
    ...(input === undefined ? {} : { input }),
  });
const inside = (...args: string[]) => {
  const result = within('engine', args);
  assert.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
};

// Last of all, also when setting up fails.
process.once('exit', () => {
  for (const name of Object.values(names)) runCommand('ip', ['netns', 'del', name]);
});
for (const name of Object.values(names)) ip('netns', 'add', name);
ip(
  'link',
  'add',
  'wire',
  'netns',
  names.engine,
  'type',
  'veth',
  'peer',
  'name',
  'wire',
  'netns',
  names.client,
);
for (const [name, address] of [
  [names.engine, engineAddress],
  [names.client, clientAddress],
] as const) {
  ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'wire');
  for (const link of ['lo', 'wire']) ip('-n', name, 'link', 'set', link, 'up');
}
const dropping = `
  table ip filter {
    chain FORWARD {
      type filter hook forward priority filter; policy drop;
    }
    chain OTHER {
      counter
    }
  }
`;
assert.deepEqual(within('engine', ['nft', '-f', '-'], dropping), { code: 0, stdout: '', stderr: '' });

// It is a router, whatever the machine is.
inside('sysctl', '-qw', 'net.ipv4.ip_forward=1');
const rulesBefore = inside('nft', 'list', 'ruleset');
const linksBefore = inside('ip', '-o', 'link');
const engine = await startDaemon({ after }, { wrapper: ['nsenter', `--net=/run/netns/${names.engine}`] });
const docker = (...args: string[]) => engine.ok(args);

/** Busybox's own timeout of wget crashes where it is built statically. */
const get = (url: string) => ['timeout', '2', 'wget', '-q', '-O', '-', url];

/** What a web server answers, as somebody in a namespace sees it; '' when it cannot be reached. */
function fetched(where: keyof typeof names, address: string): string {
  return within(where, ['busybox', ...get(`http://${address}/`)]).stdout.trim();
}

/** Runs a web server that answers its own name. */
async function serve(name: string, ...options: string[]): Promise<string> {
  docker(
    ...['run', '-d', '--name', name, ...options, 'base:1'],
    ...['sh', '-c', `echo ${name} > /var/www/index.html; exec httpd -f -p 80 -h /var/www`],
  );
  const address = docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);
  await until(() => fetched('engine', address) === name, `${name} does not answer`);
  return address;
}

describe('published TCP', () => {
  test('on all addresses: from the host by any of them, from outside, from containers', async () => {
    const address = await serve('all', '-p', '8001:80');
    const gateway = docker('inspect', '-f', '{{.NetworkSettings.Gateway}}', 'all');
    for (const host of ['127.0.0.1', engineAddress, gateway]) {
      assert.equal(fetched('engine', `${host}:8001`), 'all', host);
    }
    assert.equal(fetched('client', `${engineAddress}:8001`), 'all');
    for (const target of [address, `${gateway}:8001`, `${engineAddress}:8001`]) {
      assert.equal(docker('run', '--rm', 'base:1', ...get(`http://${target}/`)), 'all', target);
    }
    // Its own published port, by the host's address.
    assert.equal(docker('exec', 'all', ...get(`http://${engineAddress}:8001/`)), 'all');
  });

  test('on localhost only: not from outside', async () => {
    await serve('local', '-p', '127.0.0.1:8002:80');
    assert.equal(fetched('engine', '127.0.0.1:8002'), 'local');
    assert.equal(fetched('engine', `${engineAddress}:8002`), '');
    assert.equal(fetched('client', `${engineAddress}:8002`), '');
  });

  test('on one given address', async () => {
    await serve('given', '-p', `${engineAddress}:8003:80`);
    assert.equal(fetched('client', `${engineAddress}:8003`), 'given');
    assert.equal(fetched('engine', `${engineAddress}:8003`), 'given');
    assert.equal(fetched('engine', '127.0.0.1:8003'), '');
  });

  test('what is not published cannot be reached from outside', async () => {
    const address = await serve('hidden');
    ip('-n', names.client, 'route', 'add', `${address}/32`, 'via', engineAddress);
    assert.equal(fetched('client', address), '');
    assert.equal(fetched('engine', address), 'hidden');
  });

  test('a port is free again after rm, and after stop', async () => {
    docker('rm', '-f', 'all');
    assert.equal(fetched('engine', '127.0.0.1:8001'), '');
    await serve('next', '-p', '8001:80');
    docker('stop', '-t', '0', 'next');
    await serve('third', '-p', '8001:80');
    assert.equal(fetched('client', `${engineAddress}:8001`), 'third');
    assert.match(engine.docker(['start', 'next']).stderr, /port is already allocated/);
    docker('rm', '-f', 'third');
    docker('start', 'next');
    await until(() => fetched('client', `${engineAddress}:8001`) === 'next', 'it does not answer');
  });

  test('-P and a bare container port take free ports of the host', async () => {
    await serve('chosen', '-p', '80');
    const port = /:(\d+)$/m.exec(docker('port', 'chosen', '80'))?.[1] ?? '';
    assert.equal(fetched('client', `${engineAddress}:${port}`), 'chosen');
    await serve('exposed', '-P', '--expose', '80', '--expose', '81/udp', '-p', '8010:82');
    const exposed = /:(\d+)$/m.exec(docker('port', 'exposed', '80'))?.[1] ?? '';
    assert.equal(fetched('client', `${engineAddress}:${exposed}`), 'exposed');
    assert.match(docker('port', 'exposed', '81/udp'), /^0\.0\.0\.0:\d+$/m);
    assert.match(docker('port', 'exposed', '82'), /:8010$/m);
  });
});

test('published UDP, on all addresses and on localhost', async () => {
  const node = process.execPath;
  const echo =
    "const s=require('dgram').createSocket('udp4');s.on('message',(m,r)=>s.send('got '+m,r.port,r.address));s.bind(53)";
  docker(
    ...['run', '-d', '--name', 'udp', '-p', '8053:53/udp', '-p', '127.0.0.1:8054:53/udp'],
    ...[
      '-v',
      `${node}:/node:ro`,
      '-v',
      '/lib:/lib:ro',
      '-v',
      '/lib64:/lib64:ro',
      '-v',
      '/usr/lib:/usr/lib:ro',
    ],
    ...['base:1', '/node', '-e', echo],
  );
  const ask = (address: string, port: number) => `
    const s=require('dgram').createSocket('udp4');
    const send=()=>s.send('ping',${port},'${address}');
    s.on('message',(m)=>{console.log(String(m));process.exit(0)});
    setInterval(send,100);send();setTimeout(()=>process.exit(1),3000)`;
  const answer = (where: keyof typeof names, address: string, port: number) =>
    within(where, [node, '-e', ask(address, port)]).stdout.trim();
  assert.equal(answer('client', engineAddress, 8053), 'got ping');
  assert.equal(answer('engine', '127.0.0.1', 8053), 'got ping');
  assert.equal(answer('engine', '127.0.0.1', 8054), 'got ping');
  assert.equal(answer('client', engineAddress, 8054), '');
});

test('a container reaches the world outside, which sees the host', async () => {
  const server = spawn(
    'nsenter',
    [`--net=/run/netns/${names.client}`, process.execPath, '-e', outsideServer],
    { stdio: 'ignore' },
  );
  try {
    const url = `http://${clientAddress}:8080/`;
    const seen = () => engine.docker(['run', '--rm', 'base:1', ...get(url)]).stdout.trim();
    await until(() => seen() === engineAddress, 'it does not see the host');
  } finally {
    server.kill();
  }
});

const outsideServer =
  "require('http').createServer((q,r)=>r.end(q.socket.remoteAddress.replace('::ffff:',''))).listen(8080)";

test('a container that does not run can change its networks', () => {
  docker('network', 'create', 'other');
  docker('create', '--name', 'member', 'base:1', 'sleep', '1000');
  docker('network', 'connect', 'other', 'member');
  docker('start', 'member');
  const networks = () =>
    Object.keys(
      JSON.parse(docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', 'member')) as object,
    );
  assert.deepEqual(networks().sort(), ['bridge', 'other']);
  assert.equal(docker('exec', 'member', 'sh', '-c', 'ls /sys/class/net | grep -c eth'), '2');
  docker('stop', '-t', '0', 'member');
  docker('network', 'disconnect', 'bridge', 'member');
  docker('start', 'member');
  assert.deepEqual(networks(), ['other']);
  assert.equal(docker('exec', 'member', 'sh', '-c', 'ls /sys/class/net | grep -c eth'), '1');
  docker('rm', '-f', 'member');
  docker('network', 'rm', 'other');
});

test('ports are shown where there is a network for them, and a network also of a container that has stopped', () => {
  const exposing = ['run', '-d', '--expose', '80'];
  docker(...exposing, '--name', 'bridged', 'base:1', 'sleep', '1000');
  for (const network of ['host', 'none'])
    docker(...exposing, '--network', network, '--name', `on-${network}`, 'base:1', 'sleep', '1000');
  docker('commit', '-c', 'EXPOSE 80', 'bridged', 'exposing:1');
  docker('run', '-d', '--network', 'container:bridged', '--name', 'beside', 'exposing:1', 'sleep', '1000');
  const ports = (name: string) => [
    docker('ps', '-a', '--filter', `name=^/${name}$`, '--format', '{{.Ports}}'),
    docker('inspect', '-f', '{{json .NetworkSettings.Ports}}', name),
  ];
  assert.deepEqual(ports('bridged'), ['80/tcp', '{"80/tcp":null}']);
  for (const name of ['on-host', 'on-none', 'beside']) assert.deepEqual(ports(name), ['', '{}'], name);

  docker('stop', '-t', '0', 'bridged');
  assert.deepEqual(ports('bridged'), ['', '{}']);
  for (const [name, network] of [
    ['bridged', 'bridge'],
    ['on-host', 'host'],
  ] as const) {
    const id = docker('network', 'inspect', '-f', '{{.Id}}', network);
    const shown = docker('inspect', '-f', `{{.NetworkSettings.Networks.${network}.NetworkID}}`, name);
    assert.equal(shown, id, name);
    const found = docker('ps', '-a', '--filter', `network=${id.slice(0, 12)}`, '--format', '{{.Names}}');
    const mine = found.split('\n').filter((one) => ['bridged', 'on-host', 'on-none'].includes(one));
    assert.deepEqual(mine, [name]);
  }
  docker('create', '--name', 'created', 'base:1', 'true');
  assert.equal(docker('inspect', '-f', '{{.NetworkSettings.Networks.bridge.NetworkID}}', 'created'), '');
  docker('rm', '-f', 'bridged', 'on-host', 'on-none', 'beside', 'created');
  docker('rmi', 'exposing:1');
});

test('a container that does not run leaves a network that is gone, and joins none that it could not', () => {
  docker('network', 'create', 'gone');
  docker('create', '--name', 'left', '--network', 'gone', 'base:1', 'sleep', '1000');
  docker('network', 'rm', 'gone');
  const refused = (...args: string[]) => engine.docker(['network', ...args]).stderr;
  assert.match(
    refused('disconnect', 'nosuch', 'left'),
    /[0-9a-f]{64} is not connected to the network nosuch/,
  );
  docker('network', 'disconnect', 'gone', 'left');
  const networks = () => docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', 'left');
  assert.equal(networks(), '{}');
  assert.match(refused('connect', 'host', 'left'), /cannot connect container to host network/);
  assert.match(
    refused('connect', '--ip', '172.17.0.9', 'bridge', 'left'),
    /supported on user defined networks only/,
  );
  docker('start', 'left');
  assert.equal(networks(), '{}');
  docker('network', 'connect', 'bridge', 'left');
  docker('exec', 'left', 'ip', 'link', 'show', 'eth0');
  docker('network', 'disconnect', 'bridge', 'left');
  docker('stop', '-t', '0', 'left');
  docker('network', 'create', '--subnet', '10.92.0.0/24', 'kept');
  assert.match(
    refused('connect', '--ip', '10.91.0.9', 'kept', 'left'),
    /no configured subnet contains IP address/,
  );
  assert.equal(networks(), '{}');
  docker('network', 'connect', '--ip', '10.92.0.9', 'kept', 'left');
  // Again, which changes nothing.
  docker('network', 'connect', 'kept', 'left');
  assert.match(refused('connect', 'none', 'left'), /one of the networks in private \(none\) mode/);
  docker('start', 'left');
  assert.equal(docker('inspect', '-f', '{{.NetworkSettings.Networks.kept.IPAddress}}', 'left'), '10.92.0.9');
  assert.match(refused('disconnect', 'nosuch', 'left'), /network nosuch not found/);
  assert.match(refused('disconnect', '-f', 'nosuch', 'left'), /is not connected to the network nosuch/);
  docker('rm', '-f', 'left');
  docker('network', 'rm', 'kept');
});

test('a container made with what inspect showed of another has the MAC address of its own IP address', async () => {
  docker('network', 'create', 'copies');
  docker('run', '-d', '--name', 'old', '--network', 'copies', 'base:1', 'sleep', '1000');
  const endpointOf = async (name: string) => {
    const { NetworkSettings } = await getJson<ContainerInspect>(engine.host, `/containers/${name}/json`);
    return NetworkSettings.Networks['copies'] ?? assert.fail(name);
  };
  const endpoint = await endpointOf('old');
  docker('rm', '-f', 'old');
  const post = (path: string, body: object) => callEngine(engine.host, { method: 'POST', path, body });
  const created = await post('/containers/create?name=anew', {
    Image: 'base:1',
    Cmd: ['sleep', '1000'],
    HostConfig: { NetworkMode: 'copies' },
    NetworkingConfig: { EndpointsConfig: { copies: endpoint } },
  });
  assert.equal(created.status, 201, created.body);
  docker('create', '--name', 'joined', 'base:1', 'sleep', '1000');
  docker('run', '-d', '--name', 'joined-live', 'base:1', 'sleep', '1000');
  for (const Container of ['joined', 'joined-live']) {
    const answer = await post('/networks/copies/connect', { Container, EndpointConfig: endpoint });
    assert.equal(answer.status, 200, answer.body);
  }
  for (const name of ['anew', 'joined']) {
    const { EndpointID, IPAddress, MacAddress } = await endpointOf(name);
    assert.deepEqual([EndpointID, IPAddress, MacAddress], ['', '', ''], name);
  }
  docker('start', 'anew', 'joined');
  for (const name of ['anew', 'joined', 'joined-live']) {
    const { IPAddress, MacAddress } = await endpointOf(name);
    assert.notEqual(IPAddress, endpoint.IPAddress, name);
    assert.equal(MacAddress, macOf(IPAddress), name);
  }
  docker('rm', '-f', 'anew', 'joined', 'joined-live');
  docker('network', 'rm', 'copies');
});

test('--link on the default network: hosts, environment, removal', async () => {
  docker('run', '-d', '--name', 'target', '--expose', '5432', '-e', 'FOO=1', 'base:1', 'sleep', '1000');
  const linked = ['run', '--name', 'linked', '--link', 'target:my-db', 'base:1', 'sh', '-c'];
  const seen = docker(
    ...linked,
    'env; ping -c 1 my-db >/dev/null && ping -c 1 target >/dev/null && echo found',
  );
  const address = docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'target');
  assert.match(seen, /^MY_DB_NAME=\/linked\/my-db$/m);
  assert.match(seen, /^MY_DB_ENV_FOO=1$/m);
  assert.match(seen, new RegExp(`^MY_DB_PORT_5432_TCP=tcp://${address}:5432$`, 'm'));
  assert.match(seen, /^found$/m);
  assert.equal(docker('inspect', '-f', '{{.HostConfig.Links}}', 'linked'), '[/target:/linked/my-db]');
  const { HostConfig } = await getJson<ContainerInspect>(engine.host, '/containers/linked/json');
  const again = { Image: 'base:1', Cmd: ['ping', '-c', '1', 'my-db'], HostConfig };
  await callEngine(engine.host, { method: 'POST', path: '/containers/create?name=second', body: again });
  assert.match(docker('start', '-a', 'second'), /1 packets received/);
  assert.equal(docker('inspect', '-f', '{{.HostConfig.Links}}', 'second'), '[/target:/second/my-db]');
  docker('stop', '-t', '0', 'target');
  assert.match(
    engine.docker(['start', '-a', 'linked']).stderr,
    /Cannot link to a non running container: \/target AS/,
  );
  docker('rm', '--link', 'linked/my-db');
  docker('start', 'linked');
  assert.match(
    engine.docker(['create', '--link', 'nosuch', 'base:1', 'true']).stderr,
    /could not get container for nosuch/,
  );
  docker('rm', '-f', 'linked', 'second', 'target');
});

test('a container that runs can change its networks', async () => {
  const inspect = (field: string) => docker('inspect', '-f', `{{json .NetworkSettings.${field}}}`, 'live');
  const networks = () =>
    JSON.parse(inspect('Networks')) as Record<string, { IPAddress: string; Gateway: string }>;
  const sh = (script: string) => docker('exec', 'live', 'sh', '-c', script);
  docker('network', 'create', 'joined');
  docker('run', '-d', '--network', 'joined', '--name', 'neighbour', 'base:1', 'sleep', '1000');
  await serve('live', '-p', '8009:80');
  sh('echo 192.0.2.1 mine >> /etc/hosts');
  docker('network', 'connect', '--alias', 'added', 'joined', 'live');
  assert.deepEqual(Object.keys(networks()), ['bridge', 'joined']);
  const { joined } = networks();
  assert.ok(joined);
  const names = sh('ls /sys/class/net').split(/\s+/);
  assert.deepEqual(
    names.filter((name) => name.startsWith('eth')),
    ['eth0', 'eth1'],
  );
  sh('ping -c 1 neighbour');
  docker('exec', 'neighbour', 'ping', '-c', '1', 'added');
  const hosts = sh('cat /etc/hosts');
  assert.match(hosts, /^192\.0\.2\.1 mine$/m);
  assert.match(hosts, new RegExp(`^${joined.IPAddress.replaceAll('.', '\\.')}\t`, 'm'));
  assert.match(docker('network', 'inspect', 'joined'), /"Name": "live"/);
  const refused = engine.docker(['network', 'connect', 'joined', 'live']);
  assert.match(refused.stderr, /already exists in network joined/);
  const gone = engine.docker(['network', 'rm', 'joined']);
  assert.match(gone.stderr, /has active endpoints/);

  // The way out and the published port go over to the network that is left.
  docker('network', 'disconnect', 'bridge', 'live');
  assert.equal(sh('ip route | grep default').includes(`via ${joined.Gateway} `), true);
  assert.equal(fetched('engine', '127.0.0.1:8009'), 'live');
  assert.deepEqual(
    sh('ls /sys/class/net')
      .split(/\s+/)
      .filter((name) => name.startsWith('eth')),
    ['eth1'],
  );

  // And so it stays, when the engine is killed and when the container starts again.
  await engine.end('SIGKILL');
  await engine.start();
  assert.equal(fetched('engine', '127.0.0.1:8009'), 'live');
  docker('network', 'connect', 'bridge', 'live');
  docker('network', 'disconnect', '-f', 'bridge', 'live');
  docker('restart', '-t', '0', 'live');
  assert.deepEqual(Object.keys(networks()), ['joined']);
  docker('exec', 'neighbour', 'ping', '-c', '1', 'added');
  docker('network', 'disconnect', 'joined', 'live');
  assert.deepEqual(networks(), {});
  assert.equal(inspect('Ports'), '{}');
  docker('rm', '-f', 'live', 'neighbour');
  docker('network', 'rm', 'joined');
});

test("a container in another's network has its host name and domain name", () => {
  docker('run', '-d', '--name', 'box', '-h', 'box', '--domainname', 'example.org', 'base:1', 'sleep', '1000');
  const names = ['sh', '-c', 'cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname'];
  assert.equal(docker('run', '--rm', '--network', 'container:box', 'base:1', ...names), 'box\nexample.org');
  docker('rm', '-f', 'box');
});

test('a container that ends leaves the networks that it joined while it ran, though another keeps its namespace', () => {
  const run = ['run', '-d'];
  docker('network', 'create', 'late');
  docker(...run, '--name', 'owner', 'base:1', 'sleep', '1000');
  docker(...run, '--network', 'container:owner', '--name', 'sidecar', 'base:1', 'sleep', '1000');
  docker('network', 'connect', 'late', 'owner');
  const id = docker('network', 'inspect', '-f', '{{.Id}}', 'late');
  const [device] = inside('ip', '-br', 'link').match(new RegExp(`^gty\\w{8}${id.slice(0, 4)}`, 'm')) ?? [];
  assert.ok(device);
  const plugged = () => inside('ip', '-o', 'link', 'show', 'master', device).split('\n').filter(Boolean);
  assert.equal(plugged().length, 1);
  docker('restart', '-t', '0', 'owner');
  assert.equal(plugged().length, 1);
  docker('rm', '-f', 'owner', 'sidecar');
  docker('network', 'rm', 'late');
});

test('a container that runs and is renamed is known by its new name at once', async () => {
  docker('network', 'create', 'renamed');
  const run = ['run', '-d', '--network', 'renamed'];
  docker(...run, '--name', 'asks', 'base:1', 'sleep', '1000');
  docker(...run, '--name', 'before', '--network-alias', 'alias', '-h', 'host', 'base:1', 'sleep', '1000');
  docker(...run, '--name', 'named', '--network-alias', 'named', 'base:1', 'sleep', '1000');
  const addressOf = (name: string) =>
    docker('inspect', '-f', '{{.NetworkSettings.Networks.renamed.IPAddress}}', name);
  const asked = (name: string) =>
    /^PING \S+ \((.*?)\)/.exec(engine.docker(['exec', 'asks', 'ping', '-c', '1', name]).stdout)?.[1];
  const address = addressOf('before');
  assert.equal(asked('before'), address);
  docker('rename', 'before', 'after');
  docker('rename', 'named', 'other');
  const names = docker('inspect', '-f', '{{json .NetworkSettings.Networks.renamed.DNSNames}}', 'after');
  assert.deepEqual((JSON.parse(names) as string[]).toSpliced(2, 1), ['after', 'alias', 'host']);
  const check = () => {
    assert.equal(asked('after'), address);
    assert.equal(asked('before'), undefined);
    for (const name of ['alias', 'host']) assert.equal(asked(name), address);
    // Its own alias is not its name.
    for (const name of ['named', 'other']) assert.equal(asked(name), addressOf('other'));
    assert.match(docker('network', 'inspect', 'renamed'), /"Name": "after"/);
  };
  check();
  await engine.end('SIGKILL');
  await engine.start();
  check();
  docker('rm', '-f', 'asks', 'after', 'other');
  docker('network', 'rm', 'renamed');
});

test('names outlive the engine that gave them', async () => {
  docker('network', 'create', 'named');
  docker(
    'run',
    '-d',
    '--network',
    'named',
    '--network-alias',
    'other',
    '--name',
    'one',
    'base:1',
    'sleep',
    '1000',
  );
  docker('run', '-d', '--network', 'named', '--name', 'two', 'base:1', 'sleep', '1000');
  const look = (name: string) => docker('exec', 'two', 'ping', '-c', '1', name);
  assert.match(docker('exec', 'two', 'cat', '/etc/resolv.conf'), /^nameserver 127\.0\.0\.11\n/);
  for (const name of ['one', 'other', docker('inspect', '-f', '{{slice .Id 0 12}}', 'one')]) look(name);
  await engine.end('SIGKILL');
  await engine.start();
  look('one');
  docker('rm', '-f', 'one', 'two');
  docker('network', 'rm', 'named');
});

test('the firewall of others has our rules while the engine runs, and nothing is left after', async () => {
  assert.match(inside('nft', 'list', 'table', 'ip', 'filter'), /comment "gantry/);
  const bridge = docker(
    ...['network', 'inspect', '-f', '{{index .Options "com.docker.network.bridge.name"}}', 'bridge'],
  );
  const instance = bridge.replace(/^gty/, '');
  assert.match(instance, /^[0-9a-f]{8}$/);
  await engine.end('SIGTERM');
  await engine.start(['--shutdown', 'stop']);
  assert.equal(await engine.end('SIGTERM'), 0);
  assert.equal(inside('nft', 'list', 'ruleset'), rulesBefore);
  assert.equal(inside('ip', '-o', 'link'), linksBefore);
  assert.deepEqual(
    readdirSync('/run/netns').filter((name) => name.includes(instance)),
    [],
  );
});
