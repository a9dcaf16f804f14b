import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test, { after, before, describe } from 'node:test';
import { openDaemon, startDaemon, type TestDaemon } from '../support/daemon.ts';
import { dockerVersion } from '../support/docker-version.ts';
import { until } from '../support/until.ts';

// Options whose effect is seen inside the container, and those that this host or engine cannot give: they are refused
// with the reason, or discarded with a warning, and never dropped in silence.

let engine: TestDaemon;

before(async () => {
  engine = await openDaemon();
  docker('network', 'create', '--subnet', '10.203.17.0/24', 'own');
});
after(async () => {
  await engine.destroy();
});

const docker = (...args: string[]) => engine.ok(args);
const sh = (options: string[], script: string, since = 0) => {
  const result = engine.since(since, ['run', '--rm', ...options, 'base:1', 'sh', '-c', script]);
  assert.equal(result.code, 0, result.stderr);
  return result.stdout.trim();
};
/** What a run that must fail says, by either CLI. */
const refusal = (cli: 'docker' | 'gantry', options: readonly string[], daemon = engine) => {
  const result = daemon[cli](['run', '--rm', ...options, 'base:1', 'true']);
  // By their own rule the clients answer 127 where the text says that something is not there.
  const code = result.stderr.includes('no such file or directory') ? 127 : 125;
  assert.equal(result.code, code, result.stderr || result.stdout);
  return result.stderr;
};
const both = ['docker', 'gantry'] as const;

describe('--ipc', () => {
  before(() => {
    for (const mode of ['shareable', 'private'])
      docker('run', '-d', '--name', mode, '--ipc', mode, '--shm-size', '3m', 'base:1', 'sleep', '1000');
  });
  after(() => {
    docker('rm', '-f', 'shareable', 'private');
  });

  test('container:x shares its memory and its namespace', () => {
    docker('exec', 'shareable', 'sh', '-c', 'echo shared >/dev/shm/note');
    const script = 'cat /dev/shm/note; readlink /proc/self/ns/ipc; df -k /dev/shm | tail -1';
    const [note, namespace, disk = ''] = sh(['--ipc', 'container:shareable'], script).split('\n');
    assert.equal(note, 'shared');
    assert.equal(namespace, docker('exec', 'shareable', 'readlink', '/proc/self/ns/ipc'));
    assert.equal(disk.split(/ +/)[1], '3072');
  });

  test('one that came that way can be joined too', () => {
    docker('run', '-d', '--name', 'joined', '--ipc', 'container:shareable', 'base:1', 'sleep', '1000');
    assert.equal(sh(['--ipc', 'container:joined'], 'cat /dev/shm/note'), 'shared');
    docker('rm', '-f', 'joined');
  });

  test('starts empty after a restart, and leaves no mount behind', () => {
    docker('restart', '-t', '0', 'shareable');
    assert.equal(docker('exec', 'shareable', 'ls', '/dev/shm'), '');
    docker('stop', '-t', '0', 'shareable');
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(`${engine.root}.*/shm `));
    docker('start', 'shareable');
  });

  test('a container that shares nothing cannot be joined', () => {
    assert.match(
      refusal('docker', ['--ipc', 'container:private']),
      /can't join IPC of container [0-9a-f]{64}: non-shareable IPC \(hint: use IpcMode:shareable for the donor container\)/,
    );
  });
});

test('bind-recursive=writable leaves what is mounted below a read-only bind as it is', () => {
  const below = '/sys/fs/cgroup';
  const flags = (...more: string[]) =>
    sh(
      ['--mount', ['type=bind', 'src=/sys/fs', 'dst=/b', 'readonly', ...more].join(',')],
      'grep " /b[ /]" /proc/self/mountinfo | cut -d" " -f5,6 | cut -d, -f1',
      25,
    ).split('\n');
  assert.ok(readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${below} rw`));
  assert.ok(flags().every((line) => line.endsWith(' ro')));
  assert.ok(flags('bind-recursive=writable').includes('/b/cgroup rw'));
  assert.equal(flags('bind-recursive=disabled').length, 1);
});

test('gw-priority chooses the network of the default route', () => {
  docker('network', 'create', '--subnet', '10.203.18.0/24', 'other');
  const route = (...options: string[]) => sh(options, 'ip route | grep default | cut -d" " -f3', 28);
  assert.equal(route('--network', 'own', '--network', 'name=other,gw-priority=1'), '10.203.18.1');
  assert.equal(
    route('--network', 'name=own,gw-priority=2', '--network', 'name=other,gw-priority=1'),
    '10.203.17.1',
  );
  docker('network', 'rm', 'other');
});

test('driver options name an interface, and set its sysctls', () => {
  docker('network', 'create', '--subnet', '10.203.19.0/24', 'second');
  const network = (name: string, ...options: string[]) => {
    const fields = [
      `name=${name}`,
      ...options.map((one) => `"driver-opt=com.docker.network.endpoint.${one}"`),
      'driver-opt=note=mine',
    ];
    return ['--network', fields.join(',')];
  };
  const sysctls = (one: string) => `sysctls=net.ipv4.conf.IFNAME.${one}`;
  const networks = [
    ...network('own', 'ifname=lan.0', `${sysctls('log_martians=1')},net.ipv4.conf.IFNAME.arp_notify=1`),
    ...network('second'),
  ];
  docker('run', '-d', '--name', 'named', ...networks, 'base:1', 'sleep', '1000');
  const seen = (what: string) => docker('exec', 'named', 'sh', '-c', what);
  const devices = 'ip -o -4 addr | cut -d" " -f2 | sort | xargs';
  assert.equal(seen(devices), 'eth0 lan.0 lo');
  const noted = '{{index .NetworkSettings.Networks.second.DriverOpts "note"}}';
  assert.equal(docker('inspect', '-f', noted, 'named'), 'mine');
  const conf = '/proc/sys/net/ipv4/conf';
  assert.equal(seen(`cat ${conf}/lan.0/log_martians ${conf}/lan.0/arp_notify`), '1\n1');
  assert.equal(seen(`cat ${conf}/eth0/log_martians`), '0');
  assert.equal(seen('ip route | grep default | cut -d" " -f3,5'), '10.203.17.1 lan.0');
  docker('network', 'disconnect', 'second', 'named');
  const option = 'com.docker.network.endpoint.ifname';
  const connect = (name: string) =>
    engine.docker(['network', 'connect', '--driver-opt', `${option}=${name}`, 'second', 'named']);
  assert.match(connect('lan.0').stderr, /an interface of the container is called lan\.0 already/);
  assert.equal(connect('dmz0').code, 0);
  assert.equal(seen(devices), 'dmz0 lan.0 lo');
  docker('restart', '-t', '0', 'named');
  assert.equal(seen(devices), 'dmz0 lan.0 lo');
  docker('rm', '-f', 'named');
  assert.match(
    refusal('docker', [...network('own', 'ifname=a'), ...network('second', 'ifname=a')]),
    /two interfaces cannot both be called a/,
  );
  assert.match(
    refusal('docker', network('own', sysctls('some=1'))),
    /failed to set sysctl net\.ipv4\.conf\.eth0\.some=1: the kernel refuses it \(ENOENT\)/,
  );
  docker('network', 'rm', 'second');
});

test('--link-local-ip adds the address', () => {
  assert.equal(
    sh(['--network', 'own', '--link-local-ip', '169.254.7.7'], 'ip -o addr | grep -c 169.254.7.7/16'),
    '1',
  );
});

test('--privileged has a --device also under the name it is given', () => {
  const script = 'stat -c "%F %t:%T" /dev/nil /dev/full';
  const special = 'character special file 1';
  const expected = [`${special}:3`, `${special}:7`].join('\n');
  assert.equal(
    sh(['--privileged', '--device', '/dev/null:/dev/nil', '--device', '/dev/full'], script),
    expected,
  );
});

test('writable-cgroups makes them so, and only when asked', () => {
  const directory = existsSync('/sys/fs/cgroup/cgroup.controllers')
    ? '/sys/fs/cgroup'
    : '/sys/fs/cgroup/memory';
  const script = `mkdir ${directory}/x 2>/dev/null; echo $?`;
  assert.equal(sh(['--cgroupns', 'private'], script), '1');
  assert.equal(sh(['--cgroupns', 'private', '--security-opt', 'writable-cgroups=true'], script), '0');
});

describe('what cannot be is refused, with the reason', () => {
  for (const [options, text] of [
    [['--security-opt', 'systempaths=some'], 'invalid --security-opt 2: "systempaths=some"'],
    [['--security-opt', 'label=type:some_t'], 'label=type:some_t: SELinux labels are not supported'],
    [['--cpu-shares', '-1'], 'shares: invalid argument'],
    [['--cpu-shares', '1'], 'the minimum allowed cpu-shares is 2'],
    [['--cpu-shares', '262145'], 'the maximum allowed cpu-shares is 262144'],
    [['--device-read-bps', '/dev/nope:1m'], 'stat /dev/nope: no such file or directory'],
    [['--tmpfs', '/t:some=1'], 'invalid tmpfs option ["some" "1"]'],
    [
      ['--volume-driver', 'nosuch', '-v', '/x'],
      'error looking up volume plugin nosuch: plugin "nosuch" not found',
    ],
    [['--volume-driver', 'nosuch', '-v', 'named:/x'], 'create named: error looking up volume plugin nosuch'],
    [['--volumes-from', 'nobody:some'], 'invalid mode: some'],
    [['-w', '/etc/passwd'], 'Cannot mkdir: /etc/passwd is not a directory'],
    [['--network', 'own', '--ip', 'x'], 'invalid IPv4 address: x'],
    [['--network', 'own', '--ip6', 'x'], 'invalid IPv6 address: x'],
    [['--network', 'own', '--ip6', '2001:db8::5'], 'no configured subnet contains IP address 2001:db8::5'],
    [['--network', 'own', '--link-local-ip', 'x'], 'invalid link-local IP address: x'],
    [['--ip6', '2001:db8::5'], 'user specified IP address is supported on user defined networks only'],
    [
      ['--network', 'host', '--ip', '1.2.3.4'],
      'user specified IP address is supported on user defined networks only',
    ],
    [['--network-alias', 'x'], 'network-scoped aliases are only supported for user-defined networks'],
    [
      ['--network', 'host', '--mac-address', '92:d0:c6:0a:29:33'],
      'conflicting options: mac-address and the network mode',
    ],
    [
      ['--network', 'name=own,driver-opt=com.docker.network.some=1'],
      'driver option "com.docker.network.some" is not supported',
    ],
    [
      ['--network', 'name=own,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.ip_forward=1'],
      "unrecognised network interface sysctl 'net.ipv4.ip_forward=1'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'",
    ],
    [
      ['--network', 'name=own,driver-opt=com.docker.network.endpoint.ifname=a b'],
      'invalid interface name: "a b"',
    ],
  ] as const) {
    // Docker's before 25 drops without a word what is for the default network.
    const isDropped = dockerVersion < 25 && /^--(ip6|network-alias) /.test(options.join(' '));
    for (const cli of isDropped ? (['gantry'] as const) : both) {
      test(`${cli} ${options.join(' ')}`, () => {
        const said = refusal(cli, options);
        assert.ok(said.includes(text), said);
      });
    }
  }

  test('a capability, limit or score that the engine itself may not give', async (t) => {
    const limited = await startDaemon(t, { wrapper: ['setpriv', '--bounding-set', '-sys_resource'] });
    assert.match(
      refusal('docker', ['--cap-add', 'SYS_RESOURCE'], limited),
      /invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"/,
    );
    const hard =
      /Max open files +\d+ +(\d+)/.exec(readFileSync(`/proc/${limited.pid}/limits`, 'utf8'))?.[1] ?? '';
    const more = Number(hard) + 1;
    assert.ok(
      refusal('docker', ['--ulimit', `nofile=${hard}:${more}`], limited).includes(
        `ulimit nofile=${hard}:${more} is above the daemon's own hard limit of ${hard}, and the daemon lacks CAP_SYS_RESOURCE to raise it`,
      ),
    );
    const given = ['--ulimit', `nofile=${hard}:${hard}`, 'base:1', 'sh', '-c', 'ulimit -Hn'];
    assert.equal(limited.ok(['run', '--rm', ...given]), hard);
    assert.match(
      refusal('docker', ['--oom-score-adj', '-999'], limited),
      /oom score adj -999 is below the daemon's own of -?\d+, and the daemon lacks CAP_SYS_RESOURCE to lower it/,
    );
  });
});

test('a kernel memory limit is discarded with a warning', () => {
  for (const cli of both) {
    // Later versions of docker send it no more.
    const env = { DOCKER_API_VERSION: '1.41' };
    const result = engine[cli](['run', '--rm', '--kernel-memory', '50m', 'base:1', 'true'], { env });
    assert.equal(result.code, 0, result.stderr);
    assert.match(
      result.stderr,
      /WARNING: Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted\. Limitation discarded\./,
    );
  }
});

test('so it is when limits change', () => {
  engine.ok(['create', '--name', 'limited', 'base:1', 'true']);
  for (const cli of both) {
    const { code, stdout, stderr } = engine[cli](['update', '--kernel-memory', '50m', 'limited']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^limited\n/);
    // Docker prints it to standard output.
    assert.match(stdout + stderr, /does not support kernel memory limit .* Limitation discarded\./);
  }
  engine.ok(['rm', 'limited']);
});

test('an image of another platform that nobody asked for gets a warning', () => {
  const emptyTar = '\0'.repeat(1024);
  const imported = engine.docker(['import', '--platform', 'linux/s390x', '-', 'foreign:1'], {
    input: emptyTar,
  });
  assert.equal(imported.code, 0, imported.stderr);
  for (const cli of both) {
    const { code, stdout, stderr } = engine[cli](['create', 'foreign:1', 'true']);
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /WARNING: The requested image's platform \(linux\/s390x\) does not match the detected host platform \(linux\/\w+\) and no specific platform was requested/,
    );
    const asked = engine[cli](['create', '--platform', 'linux/s390x', 'foreign:1', 'true']);
    assert.equal(asked.stderr, '');
    engine.ok(['rm', stdout.trim(), asked.stdout.trim()]);
  }
  engine.ok(['rmi', 'foreign:1']);
});

describe('our own CLI refuses with the words of docker', () => {
  for (const [options, text] of [
    [
      ['--cpu-count', '1'],
      '"--cpu-count" is only supported on a Docker daemon running on windows, but the Docker daemon is running on linux',
    ],
    [['--io-maxiops', '1'], '"--io-maxiops" is only supported on a Docker daemon running on windows'],
    [['--cpu-percent', '1'], '"--cpu-percent" is only supported on a Docker daemon running on windows'],
    [
      ['--io-maxbandwidth', '1m'],
      '"--io-maxbandwidth" is only supported on a Docker daemon running on windows',
    ],
    [['--use-api-socket'], '--use-api-socket is not supported: pass the socket with --volume instead'],
    [['--storage-opt', 'size=1G'], '--storage-opt is not supported: the size of a container has no limit'],
    [['--disable-content-trust=false'], 'content trust is not supported'],
    [['--link', 'x', '--network', 'host'], "host type networking can't be used with links"],
    [['--dns-search', 'a_b!'], 'invalid argument "a_b!" for "--dns-search" flag: a_b! is not a valid domain'],
    [['--sysctl', 'vm.swappiness=1'], `sysctl 'vm.swappiness=1' is not allowed`],
    [['-l', ''], `invalid argument "" for "-l, --label" flag: invalid label '': empty name`],
    [['-a', 'x'], 'invalid argument "x" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR'],
    [['-m', '1x'], `invalid argument "1x" for "-m, --memory" flag: invalid suffix: 'x'`],
    [
      ['--cpus', '1', '--cpu-quota', '5000'],
      'Conflicting options: Nano CPUs and CPU Quota cannot both be set',
    ],
    [
      ['--device-write-bps', '/dev/null:-1'],
      'invalid argument "/dev/null:-1" for "--device-write-bps" flag: invalid rate for device: /dev/null:-1. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb',
    ],
    [['--device-cgroup-rule', 'c'], `for "--device-cgroup-rule" flag: invalid device cgroup format 'c'`],
    [['--gpus', 'all'], 'could not select device driver "" with capabilities: [[gpu]]'],
    [
      ['--mount', 'type=bind,src=/tmp,dst=/b,readonly,bind-recursive=readonly'],
      "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
    ],
  ] as const) {
    test(options.join(' '), () => {
      const said = refusal('gantry', options);
      assert.ok(said.includes(text), said);
    });
  }
});

test('a container that is being restarted cannot be joined', async () => {
  docker('run', '-d', '--name', 'loops', '--restart', 'always', 'base:1', 'false');
  const state = () => docker('inspect', '-f', '{{.State.Status}} {{.RestartCount}}', 'loops');
  await until(() => /^restarting [5-9]/.test(state()), 'it is not restarted');
  for (const option of ['--network', '--pid']) {
    const { code, stderr } = engine.docker(['run', '--rm', option, 'container:loops', 'base:1', 'true']);
    assert.equal(code, 125);
    assert.match(stderr, /Container \w+ is restarting, wait until the container is running/);
  }
  docker('rm', '-f', 'loops');
});
