import assert from 'node:assert/strict';
import test from 'node:test';
import {
  capabilitiesInMask,
  capabilitiesOf,
  defaultCapabilities,
  normalizeCapabilities,
} from './capabilities.ts';
import { deviceRules, hostDevices, parseDeviceRule, resolveDevices } from './devices.ts';
import { createEnvironment } from './environment.ts';
import { assertPropagation, rootPropagation } from './mounts.ts';
import { createResources, resolveBlockIo } from './resources.ts';
import { SeccompProfiles } from './seccomp.ts';
import { mergeTmpfsOptions } from './tmpfs-options.ts';

const available = ['CAP_CHOWN', 'CAP_KILL', 'CAP_SYS_ADMIN'];

test('capabilitiesOf() follows add, drop, ALL and privileged', () => {
  const of = (add: string[], drop: string[], privileged = false) =>
    capabilitiesOf({ add, drop, privileged, available });
  assert.deepEqual(of([], []), defaultCapabilities);
  assert.deepEqual(of([], ['ALL'], true), available);
  assert.deepEqual(of(['all'], ['kill']), ['CAP_CHOWN', 'CAP_SYS_ADMIN']);
  assert.deepEqual(of(['net_admin'], ['ALL']), ['CAP_NET_ADMIN']);
  assert.deepEqual(of(['SYS_ADMIN', 'CHOWN'], ['CAP_MKNOD']), [
    ...defaultCapabilities.filter((one) => one !== 'CAP_MKNOD'),
    'CAP_SYS_ADMIN',
  ]);
  assert.throws(() => normalizeCapabilities(['x']), { message: 'unknown capability: "CAP_X"' });
  assert.deepEqual(capabilitiesInMask('a80425fb').sort(), [...defaultCapabilities].sort());
  assert.equal(capabilitiesInMask('000001ffffffffff').length, 41);
});

test('SeccompProfiles resolves rules by capability, architecture and kernel', () => {
  const profiles = new SeccompProfiles({ architecture: 'amd64', kernelVersion: '6.1.0-13-amd64', x32: true });
  const spec = profiles.builtin(defaultCapabilities);
  const actionsOf = (name: string, from = spec) =>
    from.syscalls
      .filter(({ names }) => names.includes(name))
      .map(({ action, errnoRet }) => [action, errnoRet]);
  assert.deepEqual(spec.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
  assert.equal(spec.defaultErrnoRet, 1);
  assert.deepEqual(actionsOf('clone3'), [['SCMP_ACT_ERRNO', 38]]);
  assert.deepEqual(actionsOf('mount'), []);
  assert.deepEqual(actionsOf('ptrace'), [['SCMP_ACT_ALLOW', undefined]]);
  assert.deepEqual(actionsOf('chroot'), [['SCMP_ACT_ALLOW', undefined]]);
  assert.deepEqual(actionsOf('riscv_flush_icache'), []);
  assert.ok(!spec.syscalls.some((rule) => 'includes' in rule || 'comment' in rule));
  const admin = profiles.builtin([...defaultCapabilities, 'CAP_SYS_ADMIN']);
  assert.deepEqual(actionsOf('clone3', admin), [['SCMP_ACT_ALLOW', undefined]]);
  assert.ok(actionsOf('mount', admin).length === 1);
  assert.equal(profiles.builtin(defaultCapabilities), spec);
});

test('SeccompProfiles leaves x32 out of the built-in profile where the kernel has none', () => {
  const profiles = new SeccompProfiles({ architecture: 'amd64', kernelVersion: '6.1.0', x32: false });
  assert.deepEqual(profiles.builtin([]).architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  const own = { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32'] };
  assert.deepEqual(profiles.custom(JSON.stringify(own), []).architectures, own.architectures);
});

test('SeccompProfiles refuses what is no profile', () => {
  const profiles = new SeccompProfiles({ architecture: 'amd64', kernelVersion: '6.1.0', x32: true });
  for (const json of ['foo', '[]', '{"archMap":[]}']) {
    assert.throws(() => profiles.custom(json, []), { code: 'invalidArgument' });
  }
});

test('mergeTmpfsOptions() keeps the later of options that contradict each other', () => {
  const base = ['noexec', 'nosuid', 'nodev'];
  assert.deepEqual(mergeTmpfsOptions([...base, 'exec', 'size=1', 'size=2']), [
    'nosuid',
    'nodev',
    'exec',
    'size=2',
  ]);
  assert.throws(() => mergeTmpfsOptions(['foo=1']), { message: 'invalid tmpfs option ["foo" "1"]' });
});

test('createEnvironment() replaces in place and removes', () => {
  const env = createEnvironment({
    hostname: 'h',
    tty: true,
    env: ['A=1', 'PATH=/x', 'TERM'],
    execEnv: ['A=2=3'],
  });
  assert.deepEqual(env, ['PATH=/x', 'HOSTNAME=h', 'A=2=3']);
});

test('resolveDevices() looks up nodes and refuses what is none', async () => {
  const mapping = { PathOnHost: '/dev/null', PathInContainer: '/dev/nix', CgroupPermissions: 'r' };
  const [grant] = await resolveDevices([mapping]);
  assert.deepEqual(grant, {
    node: { path: '/dev/nix', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 },
    access: 'r',
  });
  const message = (path: string, reason: string) =>
    `error gathering device information while adding custom device "${path}": ${reason}`;
  await assert.rejects(resolveDevices([{ ...mapping, PathOnHost: '/dev/nope' }]), {
    message: message('/dev/nope', 'no such file or directory'),
  });
  await assert.rejects(resolveDevices([{ ...mapping, PathOnHost: '/etc/passwd' }]), {
    message: message('/etc/passwd', 'not a device node'),
  });
  const paths = (await hostDevices()).map(({ node }) => node.path);
  assert.ok(paths.includes('/dev/null') && !paths.includes('/dev/console'));
  assert.ok(!paths.some((path) => path.startsWith('/dev/pts/')));
});

test('deviceRules() allow a device of --device what it is given for', () => {
  const node = { path: '/dev/x', type: 'c', major: 9, minor: 8, fileMode: 0o600, uid: 0, gid: 0 } as const;
  const rules = deviceRules(false, [{ node, access: 'r' }], ['b 8:* rw']);
  assert.deepEqual(rules.slice(-2), [
    { allow: true, type: 'c', major: 9, minor: 8, access: 'r' },
    { allow: true, type: 'b', major: 8, access: 'rw' },
  ]);
  assert.deepEqual(rules[0], { allow: false, access: 'rwm' });
});

test('parseDeviceRule() takes numbers and stars', () => {
  assert.deepEqual(parseDeviceRule('a *:* rwm'), { allow: true, type: 'a', access: 'rwm' });
  assert.throws(() => parseDeviceRule('c 1 r'), { code: 'invalidArgument' });
});

test('assertPropagation() looks at the mount below the source', () => {
  const mountinfo = [
    '1 0 8:1 / / rw - ext4 /dev/sda rw',
    '2 1 8:2 / /a\\040b rw shared:5 - ext4 /dev/sdb rw',
    '3 1 8:3 / /c rw master:5 - ext4 /dev/sdc rw',
  ].join('\n');
  const mounts = (Source: string, Propagation: string) => [
    { Type: 'bind', Source, Destination: '/d', Mode: '', RW: true, Propagation } as const,
  ];
  assertPropagation(mounts('/a b/x', 'rshared'), mountinfo);
  assertPropagation(mounts('/c', 'slave'), mountinfo);
  assertPropagation(mounts('/x', 'rprivate'), mountinfo);
  assert.throws(() => {
    assertPropagation(mounts('/c/d', 'shared'), mountinfo);
  }, /^EngineError: path \/c\/d is mounted on \/c but it is not a shared mount$/);
  assert.throws(() => {
    assertPropagation(mounts('/ab', 'rslave'), mountinfo);
  }, /not a shared or slave mount/);
  assert.equal(rootPropagation(mounts('/x', 'rslave')), 'rslave');
  assert.equal(rootPropagation(mounts('/x', 'rshared')), 'shared');
  assert.equal(rootPropagation(mounts('/x', 'rprivate')), undefined);
});

test('createResources() writes each limit in its place', () => {
  assert.deepEqual(
    createResources({
      CpuPeriod: 50_000,
      CpuQuota: 25_000,
      CpuRealtimePeriod: 1_000_000,
      CpuRealtimeRuntime: 950_000,
      CpusetMems: '0',
      MemoryReservation: 32e6,
      MemorySwappiness: 0,
    }),
    {
      cpu: {
        period: 50_000,
        quota: 25_000,
        realtimePeriod: 1_000_000,
        realtimeRuntime: 950_000,
        mems: '0',
      },
      memory: { reservation: 32e6, swappiness: 0 },
    },
  );
});

test('resolveBlockIo() looks up the numbers of devices', async () => {
  const [weighed, null_, zero] = ['/dev/full', '/dev/null', '/dev/zero'];
  assert.deepEqual(
    await resolveBlockIo({
      BlkioWeightDevice: [{ Path: weighed, Weight: 400 }],
      BlkioDeviceReadBps: [{ Path: null_, Rate: 1 }],
      BlkioDeviceWriteBps: [{ Path: zero, Rate: 2 }],
      BlkioDeviceReadIOps: [{ Path: null_, Rate: 3 }],
      BlkioDeviceWriteIOps: [
        { Path: null_, Rate: 4 },
        { Path: zero, Rate: 5 },
      ],
    }),
    {
      weightDevice: [{ major: 1, minor: 7, weight: 400 }],
      throttleReadBpsDevice: [{ major: 1, minor: 3, rate: 1 }],
      throttleWriteBpsDevice: [{ major: 1, minor: 5, rate: 2 }],
      throttleReadIOPSDevice: [{ major: 1, minor: 3, rate: 3 }],
      throttleWriteIOPSDevice: [
        { major: 1, minor: 3, rate: 4 },
        { major: 1, minor: 5, rate: 5 },
      ],
    },
  );
  assert.equal(await resolveBlockIo({}), undefined);
});

test('createResources() has what an update may change, and no limit of processes as -1', () => {
  assert.deepEqual(createResources({ BlkioWeight: 300, PidsLimit: 0 }), {
    pids: { limit: -1 },
    blockIO: { weight: 300 },
  });
});
