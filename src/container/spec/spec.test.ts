import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { copyFile, rm, rmdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { hostFacts } from '../../../test/support/host-facts.ts';
import type { ContainerConfig, HostConfig } from '../../api/index.ts';
import { hasErrno } from '../../errors/index.ts';
import { randomId } from '../../lib/ids.ts';
import { run } from '../../lib/run.ts';
import { normalizeCreate } from '../create/index.ts';
import { type HostFacts, probeHost } from '../host-facts.ts';
import type { ContainerMount } from '../record.ts';
import { resolveUser } from '../user.ts';
import { createExecProcess, createSpec, SeccompProfiles, type SpecInput } from './index.ts';

const id = 'edee6b2521c1'.padEnd(64, '0');

const host = {
  ...hostFacts,
  capabilities: ['CAP_CHOWN', 'CAP_KILL', 'CAP_SYS_ADMIN'],
  networkSysctls: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' },
  initPath: '/usr/bin/tini-static',
};

function input(
  hostConfig: Partial<HostConfig> = {},
  config: Partial<ContainerConfig> = {},
  more: Partial<SpecInput> = {},
): SpecInput {
  const normal = normalizeCreate(
    { request: { Image: 'x', Cmd: ['sleep', '600'], ...config, HostConfig: hostConfig }, image: {}, id },
    { host: more.host ?? host, runtimes: ['runc'], logging: { driver: 'json-file', options: {} } },
  );
  return {
    id,
    config: normal.config,
    hostConfig: normal.hostConfig,
    host,
    seccomp: new SeccompProfiles(host),
    user: resolveUser('', { passwd: '', group: '' }),
    rootfs: '/r/merged',
    mounts: [],
    files: { resolvConf: '/c/resolv.conf', hostname: '/c/hostname', hosts: '/c/hosts' },
    namespaces: {},
    devices: [],
    cgroupParent: '/docker',
    ...more,
  };
}

function mount(given: Partial<ContainerMount>): ContainerMount {
  return {
    Type: 'bind',
    Source: '/src',
    Destination: '/dst',
    Mode: '',
    RW: true,
    Propagation: 'rprivate',
    ...given,
  };
}

test('createSpec() makes of a plain container what dockerd makes', () => {
  const { linux, process, ...spec } = createSpec(input());
  const { seccomp, ...rest } = linux;
  const capabilities =
    'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
      .split(' ')
      .map((name) => `CAP_${name}`);
  assert.deepEqual(process, {
    user: { uid: 0, gid: 0, additionalGids: [0] },
    args: ['sleep', '600'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=edee6b2521c1'],
    cwd: '/',
    terminal: false,
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    oomScoreAdj: 0,
  });
  const file = (name: string) => ({
    destination: `/etc/${name}`,
    type: 'bind',
    source: `/c/${name}`,
    options: ['rbind', 'rprivate'],
  });
  assert.deepEqual(spec, {
    ociVersion: '1.0.2',
    hostname: 'edee6b2521c1',
    root: { path: '/r/merged', readonly: false },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: ['ro', 'nosuid', 'noexec', 'nodev'],
      },
      {
        destination: '/dev/mqueue',
        type: 'mqueue',
        source: 'mqueue',
        options: ['nosuid', 'noexec', 'nodev'],
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=67108864'],
      },
      file('resolv.conf'),
      file('hostname'),
      file('hosts'),
    ],
  });
  assert.deepEqual(
    rest.namespaces,
    ['mount', 'network', 'uts', 'pid', 'ipc'].map((type) => ({ type })),
  );
  assert.equal(rest.cgroupsPath, `/docker/${id}`);
  assert.deepEqual(rest.sysctl, host.networkSysctls);
  assert.equal(rest.maskedPaths?.length, 12);
  assert.equal(rest.readonlyPaths?.length, 5);
  assert.deepEqual(
    rest.resources.devices?.map((rule) => [rule.allow, rule.major, rule.minor]),
    [
      [false, undefined, undefined],
      [true, 1, 5],
      [true, 1, 3],
      [true, 1, 9],
      [true, 1, 8],
      [true, 5, 0],
      [true, 5, 1],
      [false, 10, 229],
    ],
  );
  assert.ok(seccomp !== undefined);
});

test('createSpec() lets user mounts replace defaults, sorted by depth', () => {
  const { mounts } = createSpec(
    input(
      {},
      {},
      {
        mounts: [
          mount({ Destination: '/a/b/c', RW: false }),
          mount({ Destination: '/dev', Propagation: '' }),
          mount({ Destination: '/etc/hosts', Source: '/mine' }),
          mount({ Destination: '/a', nonRecursive: true, RW: false }),
          mount({ Type: 'tmpfs', Destination: '/t', RW: false, tmpfsOptions: ['size=1m', 'exec'] }),
        ],
      },
    ),
  );
  assert.deepEqual(
    mounts.map(({ destination }) => destination),
    [
      '/proc',
      '/sys',
      '/sys/fs/cgroup',
      '/dev',
      '/a',
      '/t',
      '/etc/hosts',
      '/etc/resolv.conf',
      '/etc/hostname',
      '/a/b/c',
    ],
  );
  const options = Object.fromEntries(mounts.map((one) => [one.destination, one.options.join()]));
  assert.equal(options['/a'], 'bind,ro,rprivate');
  assert.equal(options['/a/b/c'], 'rbind,rro,rprivate');
  assert.equal(options['/dev'], 'rbind,rprivate');
  assert.equal(options['/t'], 'nosuid,nodev,rprivate,size=1m,exec,ro');
  assert.equal(mounts.find((one) => one.destination === '/etc/hosts')?.source, '/mine');
});

test('createSpec() makes every default mount but five read-only with the root', () => {
  const { mounts, root } = createSpec(
    input({ ReadonlyRootfs: true }, {}, { mounts: [mount({ Type: 'tmpfs', Destination: '/run' })] }),
  );
  assert.equal(root.readonly, true);
  assert.deepEqual(
    mounts.filter(({ options }) => !options.includes('ro')).map(({ destination }) => destination),
    ['/proc', '/dev', '/dev/pts', '/dev/mqueue', '/dev/shm', '/run'],
  );
});

test('createSpec() gives a privileged container everything', () => {
  const node = { path: '/dev/x', type: 'c', major: 1, minor: 2, fileMode: 0o600, uid: 0, gid: 0 } as const;
  const spec = createSpec(input({ Privileged: true }, {}, { devices: [{ node, access: 'rwm' }] }));
  assert.deepEqual(spec.process.capabilities?.bounding, host.capabilities);
  assert.deepEqual(spec.linux.resources.devices, [{ allow: true, access: 'rwm' }]);
  assert.deepEqual([spec.linux.maskedPaths, spec.linux.readonlyPaths], [[], []]);
  assert.equal(spec.linux.seccomp, undefined);
  assert.deepEqual(spec.linux.devices, [node]);
  assert.ok(!spec.mounts.some(({ options }) => options.includes('ro')));
});

test('createSpec() joins or shares namespaces as the modes say', () => {
  const shared = createSpec(
    input({
      NetworkMode: 'host',
      PidMode: 'host',
      UTSMode: 'host',
      IpcMode: 'host',
      CgroupnsMode: 'private',
    }),
  );
  assert.deepEqual(shared.linux.namespaces, [{ type: 'mount' }, { type: 'cgroup' }]);
  assert.equal(shared.hostname, undefined);
  assert.equal(shared.linux.sysctl, undefined);
  const joined = createSpec(
    input(
      { NetworkMode: 'container:a', PidMode: 'container:a', IpcMode: 'container:a' },
      {},
      {
        namespaces: { network: '/run/netns/x', pid: '/proc/1/ns/pid', ipc: '/proc/1/ns/ipc' },
      },
    ),
  );
  assert.deepEqual(joined.linux.namespaces, [
    { type: 'mount' },
    { type: 'network', path: '/run/netns/x' },
    { type: 'uts' },
    { type: 'pid', path: '/proc/1/ns/pid' },
    { type: 'ipc', path: '/proc/1/ns/ipc' },
  ]);
});

test('createSpec() writes limits', () => {
  const { linux, process } = createSpec(
    input({
      Memory: 64e6,
      NanoCpus: 500_000_000,
      PidsLimit: 50,
      CpusetCpus: '0',
      CpuShares: 5,
      OomKillDisable: true,
      Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
      DeviceCgroupRules: ['c 4:* rw'],
    }),
  );
  const { devices, ...limits } = linux.resources;
  assert.deepEqual(limits, {
    memory: { limit: 64e6, swap: 128e6, disableOOMKiller: true },
    cpu: { shares: 5, period: 100_000, quota: 50_000, cpus: '0' },
    pids: { limit: 50 },
  });
  assert.deepEqual(devices?.at(-1), { allow: true, type: 'c', major: 4, access: 'rw' });
  assert.deepEqual(process.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }]);
});

test('createSpec() hands on sysctls, annotations, the OOM score, limits of devices, and paths not to mask', () => {
  const blockIO = { throttleReadBpsDevice: [{ major: 1, minor: 3, rate: 4096 }] };
  const spec = createSpec(
    input(
      {
        Sysctls: { 'net.ipv4.ip_forward': '1' },
        Annotations: { a: 'b' },
        OomScoreAdj: 500,
        MaskedPaths: [],
        ReadonlyPaths: [],
        BlkioWeight: 300,
      },
      {},
      { blockIo: blockIO },
    ),
  );
  assert.deepEqual(spec.linux.sysctl, { ...host.networkSysctls, 'net.ipv4.ip_forward': '1' });
  assert.deepEqual(spec.annotations, { a: 'b' });
  assert.equal(spec.process.oomScoreAdj, 500);
  assert.deepEqual(spec.linux.resources.blockIO, { weight: 300, ...blockIO });
  assert.deepEqual([spec.linux.maskedPaths, spec.linux.readonlyPaths], [[], []]);
});

test('createSpec() runs the command below an init, in a process namespace of its own only', () => {
  const spec = createSpec(input({ Init: true }));
  assert.deepEqual(spec.process.args, ['/sbin/docker-init', '--', 'sleep', '600']);
  assert.ok(spec.mounts.some((one) => one.destination === '/sbin/docker-init' && one.options.includes('ro')));
  assert.deepEqual(createSpec(input({ Init: true, PidMode: 'host' })).process.args, ['sleep', '600']);
  const { initPath: _gone, ...bare } = host;
  assert.throws(
    () => createSpec(input({ Init: true }, {}, { host: { ...bare, initPath: undefined } })),
    /package tini/,
  );
});

test('a profile of the user is refused where the kernel has no seccomp, at create and at start', () => {
  const bare = { ...host, seccomp: false };
  const profile = { SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":null}'] };
  const refused = { code: 'invalidArgument', message: /^seccomp is not enabled in your kernel/ };
  assert.throws(() => input(profile, {}, { host: bare }), refused);
  assert.throws(() => createSpec({ ...input(profile), host: bare }), refused);
  for (const SecurityOpt of [[], ['seccomp=builtin'], ['seccomp=unconfined']])
    assert.equal(createSpec(input({ SecurityOpt }, {}, { host: bare })).linux.seccomp, undefined);
});

test('createSpec() obeys security options', () => {
  const of = (...SecurityOpt: string[]) => createSpec(input({ SecurityOpt }));
  assert.equal(of('seccomp=unconfined').linux.seccomp, undefined);
  assert.ok(of('seccomp=builtin').linux.seccomp !== undefined);
  assert.deepEqual(of('seccomp={"defaultAction":"SCMP_ACT_ALLOW","syscalls":null}').linux.seccomp, {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [],
  });
  assert.equal(of('no-new-privileges').process.noNewPrivileges, true);
  assert.equal(of('no-new-privileges=false').process.noNewPrivileges, undefined);
  const guarded = { ...host, apparmor: { enabled: true, defaultProfileLoaded: true } };
  assert.equal(createSpec(input({}, {}, { host: guarded })).process.apparmorProfile, 'docker-default');
  assert.equal(
    createSpec(input({ Privileged: true }, {}, { host: guarded })).process.apparmorProfile,
    'unconfined',
  );
  const { config, hostConfig, user } = input({}, {}, { host: guarded });
  const request = { Cmd: ['sh'], Privileged: true };
  const exec = createExecProcess({ config, hostConfig, user, host: guarded, request });
  assert.equal(exec.apparmorProfile, 'docker-default', 'exec --privileged keeps what confines the container');
});

test('createExecProcess() adds the request to the container', () => {
  const { config, hostConfig, user } = input({ CapDrop: ['ALL'] }, { Env: ['A=1', 'B=2'], WorkingDir: '/w' });
  const exec = createExecProcess({
    config,
    hostConfig,
    user,
    host,
    request: { Cmd: ['sh'], Env: ['A=3', 'B'], Tty: true, ConsoleSize: [24, 80], Privileged: true },
  });
  assert.deepEqual(exec.env.slice(1), ['HOSTNAME=edee6b2521c1', 'TERM=xterm', 'A=3']);
  assert.deepEqual(exec.consoleSize, { height: 24, width: 80 });
  assert.equal(exec.cwd, '/w');
  assert.deepEqual(exec.capabilities?.bounding, host.capabilities);
});

async function removeCgroup(facts: HostFacts, name: string): Promise<void> {
  for (const directory of new Set(Object.values(facts.cgroupPaths))) {
    await rmdir(join(directory, name)).catch((error: unknown) => {
      if (!hasErrno(error, 'ENOENT')) throw error;
    });
  }
}

async function runWithRunc(
  t: TestContext,
  given: (rootfs: string) => SpecInput,
  cleanUp: () => Promise<void>,
): Promise<string> {
  const bundle = mkdtempSync(join(tmpdir(), 'gantry-spec-'));
  const rootfs = join(bundle, 'rootfs');
  const name = `gantry-spec-${randomId().slice(0, 12)}`;
  const state = join(bundle, 'state');
  t.after(async () => {
    await run('runc', ['--root', state, 'delete', '--force', name]);
    await cleanUp();
    await rm(bundle, { recursive: true, force: true });
  });
  mkdirSync(join(rootfs, 'bin'), { recursive: true });
  await copyFile('/bin/busybox', join(rootfs, 'bin/busybox'));
  await symlink('busybox', join(rootfs, 'bin/sh'));
  for (const file of ['resolv.conf', 'hostname', 'hosts']) writeFileSync(join(bundle, file), `${file}\n`);
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(createSpec(given(rootfs))));
  const { stdout } = await run('runc', ['--root', state, 'run', '--bundle', bundle, name]);
  return stdout;
}

test('runc runs what createSpec() writes: limits, read-only binds and confinement hold', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async (t) => {
  const facts = await probeHost();
  const parent = `gantry-spec-${randomId().slice(0, 12)}`;
  const script = [
    'busybox hostname',
    'busybox cat /etc/hosts',
    'busybox grep -E "^(CapBnd|Seccomp|NoNewPrivs):" /proc/self/status',
    'echo x > /data/file && echo wrote || echo refused',
    'ulimit -n',
    'busybox df /dev/shm | busybox tail -1 | busybox awk "{print \\$2}"',
    'busybox ls /proc/acpi 2>/dev/null | busybox wc -l',
    'busybox cat /proc/1/cmdline | busybox tr "\\0" " "',
  ].join('\n');
  const given = (rootfs: string) => {
    const bundle = join(rootfs, '..');
    const data = join(bundle, 'data');
    mkdirSync(data);
    return input(
      {
        SecurityOpt: ['no-new-privileges'],
        Memory: 64e6,
        Init: true,
        ShmSize: 1 << 20,
        Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 100 }],
      },
      { Cmd: ['/bin/sh', '-c', script], Domainname: 'example.test' },
      {
        host: facts,
        seccomp: new SeccompProfiles(facts),
        rootfs,
        mounts: [mount({ Source: data, Destination: '/data', RW: false })],
        files: {
          resolvConf: join(bundle, 'resolv.conf'),
          hostname: join(bundle, 'hostname'),
          hosts: join(bundle, 'hosts'),
        },
        cgroupParent: `/${parent}`,
      },
    );
  };
  const output = await runWithRunc(t, given, () => removeCgroup(facts, parent));
  assert.deepEqual(
    output
      .replaceAll('\t', ' ')
      .split('\n')
      .map((line) => line.trimEnd())
      .slice(0, 9),
    [
      'edee6b2521c1',
      'hosts',
      'CapBnd: 00000000a80425fb',
      'NoNewPrivs: 1',
      'Seccomp: 2',
      'refused',
      '100',
      '1024',
      '0',
    ],
  );
  assert.match(output, /docker-init -- /);
});
