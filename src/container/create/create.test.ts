import assert from 'node:assert/strict';
import test from 'node:test';
import { hostFacts } from '../../../test/support/host-facts.ts';
import type { ContainerCreateRequest } from '../../api/index.ts';
import type { RunConfig } from '../../oci/index.ts';
import { endpointsOf, normalizeCreate } from './index.ts';

const id = '0123456789ab'.padEnd(64, 'f');

const host = { ...hostFacts, capabilities: ['CAP_NET_ADMIN', 'CAP_SYS_TIME'] };

function create(request: ContainerCreateRequest, image: RunConfig = {}, facts = host) {
  return normalizeCreate({ request, image, id }, { host: facts, runtimes: ['runc', 'crun'], logging });
}

const logging = { driver: 'json-file', options: {} };

const plain = { Image: 'bb', Cmd: ['sh'] };

/** Untyped on purpose: clients send what they like. */
function withHost(HostConfig: object) {
  return create({ ...plain, HostConfig: HostConfig });
}

test('normalizeCreate() fills in what dockerd shows for a plain container', () => {
  const { config, hostConfig, warnings } = create(plain);
  assert.deepEqual(config, {
    Hostname: '0123456789ab',
    Domainname: '',
    User: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: [],
    Cmd: ['sh'],
    Image: 'bb',
    Volumes: null,
    WorkingDir: '',
    Entrypoint: null,
    OnBuild: null,
    Labels: {},
  });
  const { MaskedPaths, ReadonlyPaths, ...rest } = hostConfig;
  assert.equal(MaskedPaths?.length, 12);
  assert.equal(ReadonlyPaths?.length, 5);
  const set = Object.entries(rest).filter(
    ([, value]) =>
      value !== null && value !== 0 && value !== '' && value !== false && JSON.stringify(value) !== '[]',
  );
  assert.deepEqual(Object.fromEntries(set), {
    LogConfig: { Type: 'json-file', Config: {} },
    NetworkMode: 'bridge',
    PortBindings: {},
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    ConsoleSize: [0, 0],
    CgroupnsMode: 'host',
    IpcMode: 'private',
    ShmSize: 67_108_864,
    Runtime: 'runc',
  });
  assert.deepEqual(warnings, []);
});

test('normalizeCreate() gives a container on the host network the host name', () => {
  assert.equal(withHost({ NetworkMode: 'host' }).config.Hostname, 'here');
});

test('normalizeCreate() prefers a private cgroup namespace on cgroup v2', () => {
  assert.equal(create(plain, {}, { ...host, cgroupVersion: 2 }).hostConfig.CgroupnsMode, 'private');
});

test('normalizeCreate() sets swap to twice the memory, unless told', () => {
  assert.equal(withHost({ Memory: 64e6 }).hostConfig.MemorySwap, 128e6);
  assert.equal(withHost({ Memory: 64e6, MemorySwap: -1 }).hostConfig.MemorySwap, -1);
});

test('normalizeCreate() takes Cmd from the image only when the request names no command', () => {
  const image = { Entrypoint: ['/e'], Cmd: ['c'] };
  const table: [Partial<ContainerCreateRequest>, unknown, unknown][] = [
    [{}, ['/e'], ['c']],
    [{ Cmd: ['x'] }, ['/e'], ['x']],
    [{ Entrypoint: ['/f'] }, ['/f'], null],
    [{ Entrypoint: ['/f'], Cmd: ['x'] }, ['/f'], ['x']],
    [{ Entrypoint: [''], Cmd: ['x'] }, null, ['x']],
    [{ Entrypoint: [], Cmd: ['x'] }, null, ['x']],
  ];
  for (const [request, entrypoint, cmd] of table) {
    const { config } = create({ Image: 'x', ...request }, image);
    assert.deepEqual([config.Entrypoint, config.Cmd], [entrypoint, cmd], JSON.stringify(request));
  }
  for (const request of [{ Entrypoint: [''] }, { Entrypoint: [] }]) {
    assert.throws(
      () => create({ Image: 'x', ...request }, { Entrypoint: ['/e'] }),
      /^EngineError: no command/,
    );
  }
});

test('normalizeCreate() unites the image with the request, the request winning', () => {
  const { config } = create(
    {
      ...plain,
      Env: ['A=user', 'C'],
      Labels: { a: 'user' },
      ExposedPorts: { '80': {} },
      Volumes: { '/u': {} },
      Healthcheck: { Interval: 5e9 },
    },
    {
      User: 'app',
      Env: ['A=image', 'B=image'],
      Labels: { a: 'image', b: 'image' },
      ExposedPorts: { '81/udp': {} },
      Volumes: { '/i': {} },
      WorkingDir: '/srv/',
      StopSignal: 'SIGQUIT',
      Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9, Retries: 2 },
    },
  );
  assert.deepEqual(config.Env, ['A=user', 'C', 'B=image']);
  assert.deepEqual(config.Labels, { a: 'user', b: 'image' });
  assert.deepEqual(Object.keys(config.ExposedPorts ?? {}).sort(), ['80/tcp', '81/udp']);
  assert.deepEqual(Object.keys(config.Volumes ?? {}).sort(), ['/i', '/u']);
  assert.deepEqual([config.User, config.WorkingDir, config.StopSignal], ['app', '/srv', 'SIGQUIT']);
  assert.deepEqual(config.Healthcheck, { Test: ['CMD', 'true'], Interval: 5e9, Retries: 2 });
});

test("normalizeCreate() refuses a bad config in Docker's words", () => {
  const table: [object, string][] = [
    [{ Cmd: null }, 'no command specified'],
    [{ WorkingDir: 'x' }, "the working directory 'x' is invalid, it needs to be an absolute path"],
    [{ StopSignal: 'FOO' }, 'invalid signal: FOO'],
    [{ Env: ['=x'] }, 'invalid environment variable: =x'],
    [{ Hostname: 'a b' }, 'invalid hostname: "a b"'],
    [{ Hostname: 'a'.repeat(65) }, `invalid hostname: "${'a'.repeat(65)}"`],
    [{ Healthcheck: { Interval: 5 } }, 'Interval in Healthcheck cannot be less than 1ms'],
    [{ Healthcheck: { StartInterval: -1 } }, 'StartInterval in Healthcheck cannot be less than 1ms'],
    [{ Healthcheck: { Retries: -1 } }, 'Retries in Healthcheck cannot be negative'],
    [{ ExposedPorts: { 'x/tcp': {} } }, 'invalid port specification: "x/tcp"'],
  ];
  for (const [change, message] of table) {
    assert.throws(() => create({ ...plain, ...change }), { code: 'invalidArgument', message });
  }
});

const mountError = (type: string, text: string) => `invalid mount config for type "${type}": ${text}`;
const bind = { Type: 'bind', Source: '/tmp', Target: '/x' };
const volume = { Type: 'volume', Source: 'vol', Target: '/x' };

const refused: readonly [object, string][] = [
  [{ Memory: 1000 }, 'Minimum memory limit allowed is 6MB'],
  [
    { Memory: 1e8, MemorySwap: 1000 },
    'Minimum memoryswap limit should be larger than memory limit, see usage',
  ],
  [{ MemorySwap: 1e8 }, 'You should always set the Memory limit when using Memoryswap limit, see usage'],
  [{ MemorySwappiness: 101 }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
  [{ MemoryReservation: 1000 }, 'Minimum memory reservation allowed is 6MB'],
  [
    { Memory: 1e7, MemoryReservation: 2e7 },
    'Minimum memory limit can not be less than memory reservation limit, see usage',
  ],
  [{ NanoCpus: 9e10 }, 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
  [{ NanoCpus: 1 }, 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
  [{ NanoCpus: 1e9, CpuPeriod: 1e5 }, 'Conflicting options: Nano CPUs and CPU Period cannot both be set'],
  [{ CpuPeriod: 10 }, 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)'],
  [{ CpuQuota: 10 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
  [{ CpuRealtimePeriod: 1e6 }, 'Your kernel does not support CPU real-time scheduler'],
  [{ CpuRealtimeRuntime: 1e5 }, 'Your kernel does not support CPU real-time scheduler'],
  [{ CpuPercent: 5 }, 'Invalid CPU settings: linux does not support CPU percent'],
  [{ CpusetCpus: '99' }, 'Requested CPUs are not available - requested 99, available: 0-1'],
  [{ CpusetCpus: 'x' }, 'Invalid value x for cpuset cpus: invalid format: x'],
  [{ CpusetMems: '99' }, 'Requested memory nodes are not available - requested 99, available: 0'],
  [
    { IOMaximumBandwidth: 5 },
    'Invalid QoS settings: linux does not support configuration of maximum bandwidth',
  ],
  [{ IOMaximumIOps: 5 }, 'Invalid QoS settings: linux does not support configuration of maximum IOPs'],
  [{ OomScoreAdj: 2000 }, 'Invalid value 2000, range for oom score adj is [-1000, 1000]'],
  [{ ShmSize: -1 }, 'SHM size can not be less than 0'],
  [
    { RestartPolicy: { Name: 'foo' } },
    "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
  ],
  [
    { RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } },
    "invalid restart policy: maximum retry count can only be used with 'on-failure'",
  ],
  [
    { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -3 } },
    'invalid restart policy: maximum retry count cannot be negative',
  ],
  [
    { RestartPolicy: { Name: 'always' }, AutoRemove: true },
    "can't create 'AutoRemove' container with restart policy",
  ],
  [{ CapAdd: ['x'] }, 'invalid CapAdd: unknown capability: "CAP_X"'],
  [{ CapDrop: ['FOO'] }, 'invalid CapDrop: unknown capability: "CAP_FOO"'],
  [{ Ulimits: [{ Name: 'foo', Soft: 1, Hard: 2 }] }, 'invalid ulimit type: foo'],
  [
    { Ulimits: [{ Name: 'nofile', Soft: 3, Hard: 2 }] },
    'ulimit soft limit must be less than or equal to hard limit: 3 > 2',
  ],
  [{ Sysctls: { 'foo.bar': '1' } }, 'sysctl "foo.bar" is not in a separate kernel namespace'],
  [
    { NetworkMode: 'host', Sysctls: { 'net.ipv4.ip_forward': '1' } },
    'sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
  ],
  [{ SecurityOpt: ['foo'] }, 'invalid --security-opt 1: "foo"'],
  [{ SecurityOpt: ['foo=bar'] }, 'invalid --security-opt 2: "foo=bar"'],
  [{ SecurityOpt: ['no-new-privileges:x'] }, 'invalid --security-opt 2: "no-new-privileges:x"'],
  [{ DeviceCgroupRules: ['foo'] }, "invalid device cgroup rule format: 'foo'"],
  [{ PortBindings: { '80/tcp': [{ HostPort: 'x' }] } }, 'invalid port specification: "x"'],
  [{ PortBindings: { '80/foo': [{ HostPort: '1' }] } }, 'invalid port specification: "80/foo"'],
  [{ PortBindings: { '80/tcp': [{ HostPort: '99999' }] } }, 'invalid port specification: "99999"'],
  [{ Links: [''] }, 'empty string specified for links'],
  [{ Links: ['a:b:c'] }, 'bad format for links: a:b:c'],
  [{ ExtraHosts: ['foo'] }, 'bad format for add-host: "foo"'],
  [{ ExtraHosts: ['foo:x'] }, 'invalid IP address in add-host: "x"'],
  [{ IpcMode: 'foo' }, 'invalid IPC mode: foo'],
  [{ PidMode: 'container:' }, 'invalid PID mode: container:'],
  [{ UTSMode: 'foo' }, 'invalid UTS mode: foo'],
  [{ UsernsMode: 'foo' }, 'invalid userns mode: foo'],
  [{ CgroupnsMode: 'foo' }, 'invalid cgroup namespace mode: foo'],
  [{ NetworkMode: 'container:' }, 'invalid network mode: invalid container format container:<name|id>'],
  [
    { NetworkMode: 'container:a', PublishAllPorts: true },
    'conflicting options: port publishing and the container type network mode',
  ],
  [{ LogConfig: { Type: 'foo' } }, 'error looking up logging plugin foo: plugin "foo" not found'],
  [
    { LogConfig: { Type: 'constructor' } },
    'error looking up logging plugin constructor: plugin "constructor" not found',
  ],
  [
    { LogConfig: { Type: 'json-file', Config: { foo: 'x' } } },
    "unknown log opt 'foo' for json-file log driver",
  ],
  [
    { LogConfig: { Type: 'local', Config: { labels: 'x' } } },
    "unknown log opt 'labels' for log driver local",
  ],
  [{ LogConfig: { Config: { mode: 'x' } } }, 'logger: logging mode not supported: x'],
  [
    { LogConfig: { Config: { 'max-buffer-size': '1m' } } },
    "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
  ],
  [
    { CapAdd: ['SYS_RESOURCE'] },
    'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"',
  ],
  [
    { Ulimits: [{ Name: 'nofile', Soft: 5, Hard: -1 }] },
    "ulimit nofile=5:-1 is above the daemon's own hard limit of 1000, and the daemon lacks CAP_SYS_RESOURCE to raise it",
  ],
  [
    { OomScoreAdj: -1 },
    "oom score adj -1 is below the daemon's own of 0, and the daemon lacks CAP_SYS_RESOURCE to lower it",
  ],
  [{ CpuShares: -1 }, 'shares: invalid argument'],
  [{ CpuShares: 1 }, 'the minimum allowed cpu-shares is 2'],
  [{ CpuCount: 1 }, 'Invalid CPU settings: linux does not support CPU count'],
  [{ SecurityOpt: ['label=user:x'] }, 'label=user:x: SELinux labels are not supported'],
  [{ SecurityOpt: ['apparmor=x'] }, 'apparmor=x: AppArmor is not enabled on this host'],
  [{ SecurityOpt: ['systempaths=unconfined'] }, 'invalid --security-opt 2: "systempaths=unconfined"'],
  [{ Isolation: 'foo' }, "invalid isolation 'foo' on linux"],
  [{ StorageOpt: { size: '1G' } }, '--storage-opt is not supported: the size of a container has no limit'],
  [{ Runtime: 'foo' }, 'unknown or invalid runtime name: foo'],
  [
    { DeviceRequests: [{ Count: -1, Capabilities: [['gpu']] }] },
    'could not select device driver "" with capabilities: [[gpu]]',
  ],
  [
    { Mounts: [{ ...bind, Source: 'nope' }] },
    mountError('bind', "invalid mount path: 'nope' mount path must be absolute"),
  ],
  [{ Mounts: [{ ...bind, Source: '' }] }, mountError('bind', 'field Source must not be empty')],
  [{ Mounts: [{ ...bind, Target: '' }] }, mountError('bind', 'field Target must not be empty')],
  [
    { Mounts: [{ ...bind, Target: '/a/..' }] },
    mountError('bind', "invalid specification: destination can't be '/'"),
  ],
  [{ Mounts: [{ ...bind, Type: 'foo' }] }, mountError('foo', 'mount type unknown')],
  [
    { Mounts: [{ ...bind, VolumeOptions: {} }] },
    mountError('bind', 'field VolumeOptions must not be specified'),
  ],
  [
    { Mounts: [{ ...bind, BindOptions: { Propagation: 'foo' } }] },
    mountError('bind', 'invalid propagation mode: foo'),
  ],
  [{ Mounts: [{ ...bind, Type: 'tmpfs' }] }, mountError('tmpfs', 'field Source must not be specified')],
  [
    { Mounts: [{ ...volume, Target: 'x' }] },
    mountError('volume', "invalid mount path: 'x' mount path must be absolute"),
  ],
  [
    { Mounts: [{ ...volume, Source: '', ReadOnly: true }] },
    mountError('volume', 'must not set ReadOnly mode when using anonymous volumes'),
  ],
  [
    { Mounts: [{ ...volume, VolumeOptions: { Subpath: 'a/../../b' } }] },
    mountError('volume', 'subpath must be a relative path within the volume'),
  ],
  [
    { Mounts: [{ ...bind, ImageOptions: {} }] },
    mountError('bind', 'field ImageOptions must not be specified'),
  ],
  [
    { Mounts: [{ ...bind, Type: 'image', Source: '' }] },
    mountError('image', 'field Source must not be empty'),
  ],
  [
    { Mounts: [{ ...bind, Type: 'image', BindOptions: {} }] },
    mountError('image', 'field BindOptions must not be specified'),
  ],
  [
    { Mounts: [{ ...bind, Type: 'image', ImageOptions: { Subpath: '../x' } }] },
    mountError('image', 'subpath must be a relative path within the volume'),
  ],
  [{ Mounts: [volume, bind] }, 'Duplicate mount point: /x'],
  [{ Tmpfs: { '/x': '' }, Binds: ['/tmp:/x/'] }, 'Duplicate mount point: /x'],
  [{ Tmpfs: { x: '' } }, "invalid mount path: 'x' mount path must be absolute"],
  [{ Tmpfs: { '/x': 'foo' } }, 'invalid tmpfs option ["foo"]'],
];

for (const [hostConfig, message] of refused) {
  test(`normalizeCreate() refuses ${JSON.stringify(hostConfig)}`, () => {
    assert.throws(() => withHost(hostConfig), { code: 'invalidArgument', message });
  });
}

test('normalizeCreate() leaves a daemon with CAP_SYS_RESOURCE free to raise limits', () => {
  const facts = { ...host, capabilities: ['CAP_SYS_RESOURCE'] };
  const HostConfig = { OomScoreAdj: -500, Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2000 }] };
  assert.equal(create({ ...plain, HostConfig }, {}, facts).hostConfig.OomScoreAdj, -500);
});

test('endpointsOf() gives the container-wide MAC address to the main network', () => {
  const mac = '02:42:ac:11:00:0a';
  const of = (mode: string, endpoints: Record<string, object> = {}, MacAddress = mac) => {
    const { hostConfig } = withHost({ NetworkMode: mode });
    return endpointsOf({ MacAddress, NetworkingConfig: { EndpointsConfig: endpoints } }, hostConfig);
  };
  assert.deepEqual(of('bridge'), { bridge: { MacAddress: mac } });
  assert.deepEqual(of('a', { a: { Aliases: ['x'] }, b: {} }), {
    a: { Aliases: ['x'], MacAddress: mac },
    b: {},
  });
  assert.deepEqual(of('none'), {});
  assert.throws(() => of('a', { b: {} }), { code: 'invalidArgument', message: /^unable to migrate/ });
  assert.throws(() => of('a', { a: { MacAddress: '02:42:ac:11:00:0b' } }), /must match/);
  assert.throws(() => of('host'), { message: 'conflicting options: mac-address and the network mode' });
  assert.throws(() => of('bridge', {}, 'x'), { message: 'invalid MAC address: address x' });
});

test('endpointsOf() takes of an inspected endpoint what was asked for, not what the old container got', () => {
  const of = (endpoint: object) => {
    const { hostConfig } = withHost({ NetworkMode: 'a' });
    return endpointsOf({ NetworkingConfig: { EndpointsConfig: { a: endpoint } } }, hostConfig)['a'];
  };
  const asked = { Aliases: ['x'], GwPriority: 1 };
  const got = {
    EndpointID: 'e',
    NetworkID: 'n',
    IPAddress: '172.18.0.2',
    IPPrefixLen: 16,
    DNSNames: ['old'],
  };
  assert.deepEqual(of({ ...asked, ...got, MacAddress: '02:42:ac:12:00:02' }), asked);
  for (const MacAddress of ['02:42:ac:12:00:03', '92:d0:c6:0a:29:33']) {
    assert.deepEqual(of({ ...asked, ...got, MacAddress }), { ...asked, MacAddress });
  }
  assert.deepEqual(of({ MacAddress: '02:42:ac:12:00:02' }), { MacAddress: '02:42:ac:12:00:02' });
});

test('normalizeCreate() takes what compose and the CLI send', () => {
  const { hostConfig } = withHost({
    CapAdd: ['net_admin', 'CAP_SYS_TIME', 'all'],
    Runtime: 'io.containerd.runc.v2',
    LogConfig: {
      Type: 'json-file',
      Config: { 'max-size': '10m', 'max-file': '3', mode: 'non-blocking', 'max-buffer-size': '4m' },
    },
    ExtraHosts: ['a:127.0.0.1', 'b:host-gateway', 'c=::1', 'd:[::1]'],
    PortBindings: { '80': [{ HostIp: '', HostPort: '8000-8010' }], '53/udp': [{ HostPort: '' }] },
    Mounts: [
      { ...bind, BindOptions: { Propagation: 'rslave' } },
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { Mode: 448 } },
    ],
    Tmpfs: { '/run': 'rw,size=1m,mode=1777,exec' },
    RestartPolicy: { Name: '', MaximumRetryCount: 0 },
    Dns: null,
    PidsLimit: 0,
    Ulimits: [{ Name: 'memlock', Soft: -1, Hard: -1 }],
  });
  assert.deepEqual(Object.keys(hostConfig.PortBindings).sort(), ['53/udp', '80/tcp']);
  assert.deepEqual(hostConfig.Dns, []);
  for (const PidsLimit of [0, -1]) assert.equal(withHost({ PidsLimit }).hostConfig.PidsLimit, null);
});
