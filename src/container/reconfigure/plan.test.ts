import assert from 'node:assert/strict';
import test from 'node:test';
import type { ReconfigureRequest } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { ImageId } from '../../oci/index.ts';
import { defaultHostConfig } from '../create/host-config.ts';
import { mergeImageConfig } from '../create/image-config.ts';
import type { HostFacts } from '../host-facts.ts';
import { type Container, newState } from '../record.ts';
import { keptMounts, planReconfiguration } from './plan.ts';

const hostConfig = defaultHostConfig(
  {
    Binds: ['/srv:/srv:ro', 'data:/data'],
    Mounts: [{ Type: 'bind', Source: '/etc', Target: '/host/' }],
    Tmpfs: { '/tmp': 'size=1m' },
    PortBindings: {
      '80/tcp': [{ HostIp: '', HostPort: '8080' }],
      '53/udp': [{ HostIp: '::1', HostPort: '' }],
    },
  },
  {
    host: { cgroupVersion: 2, thermalThrottlePaths: [] as readonly string[] } as HostFacts,
    runtime: 'runc',
    logging: { driver: 'json-file', options: {} },
  },
);

const mount = (Destination: string, more: object = {}) =>
  ({ Type: 'volume', Source: '', Destination, Mode: '', RW: true, Propagation: '', ...more }) as const;

const container: Container = {
  record: {
    id: 'c1',
    name: '/app',
    created: '',
    imageId: 'sha256:0' as ImageId,
    config: mergeImageConfig(
      {
        Image: 'base',
        Cmd: ['sh'],
        Env: ['A=1', 'B=2=3', 'EMPTY='],
        Labels: { l: '1', m: '2' },
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Volumes: { '/cache': {}, '/data': {} },
      },
      {},
    ),
    hostConfig,
    endpoints: {},
    mounts: ['/srv', '/data', '/host', '/cache', '/other'].map((path) => mount(path)),
  },
  state: { ...newState, running: true },
};

const host = { recursiveReadOnly: true };
const plan = (request: ReconfigureRequest) =>
  planReconfiguration(container, request, { imagePorts: ['80/tcp'], host });

const lines = (request: ReconfigureRequest) =>
  plan(request).changes.map(({ Kind, Name, Old, New }) => `${Kind} ${Name}: ${Old} -> ${New}`);

test('planReconfiguration() sets and removes what is named, and nothing else', () => {
  const request: ReconfigureRequest = {
    Env: ['A=2', 'C=x=y'],
    Labels: { l: '1', n: '' },
    PortBindings: { '80': [{ HostIp: '127.0.0.1', HostPort: '81' }], '443/tcp': null },
    Binds: ['more:/cache'],
    Remove: { Env: ['B'], Labels: ['m'], Ports: ['53/udp'], Mounts: ['/data', '/tmp/'] },
  };
  assert.deepEqual(lines(request), [
    'port 80/tcp: 8080 -> 127.0.0.1:81',
    'port 53/udp: [::1]:any -> null',
    'port 443/tcp: null -> ',
    'env A: 1 -> 2',
    'env B: 2=3 -> null',
    'env C: null -> x=y',
    'mount /cache: volume -> more:/cache',
    'mount /data: data:/data -> null',
    'mount /tmp: tmpfs size=1m -> null',
    'label m: 2 -> null',
    'label n: null -> ',
  ]);
  const made = plan(request);
  const { config, hostConfig: host } = made.wishes;
  assert.deepEqual(config.Env, ['A=2', 'EMPTY=', 'C=x=y']);
  assert.deepEqual(Object.keys(config.ExposedPorts ?? {}).sort(), ['443/tcp', '80/tcp']);
  assert.deepEqual(config.Volumes, { '/cache': {} });
  assert.deepEqual(host.Binds, ['/srv:/srv:ro', 'more:/cache']);
  assert.deepEqual(host.Tmpfs, {});
  assert.deepEqual(host.Mounts, hostConfig.Mounts);
  assert.deepEqual(
    keptMounts(container.record, made).map(({ Destination }) => Destination),
    ['/srv', '/host', '/other'],
  );
  assert.deepEqual(
    [made.newMounts.binds, made.newMounts.specs, made.newMounts.paths],
    [['more:/cache'], [], []],
  );
  assert.equal(made.restarts, true);
});

test('planReconfiguration() makes a volume of no name where one is new, not where one is', () => {
  assert.deepEqual(plan({ Volumes: { '/cache': {}, '/new': {}, '/srv/': {} } }).newMounts.paths, [
    '/new',
    '/srv',
  ]);
});

test('planReconfiguration() restarts for variables and mounts only', () => {
  assert.equal(plan({ PortBindings: { '81/tcp': [{ HostIp: '', HostPort: '81' }] } }).restarts, false);
  assert.equal(plan({ Labels: { l: '2' } }).restarts, false);
  assert.equal(plan({ Env: ['A=2'] }).restarts, true);
  assert.equal(plan({ Remove: { Mounts: ['/host'] } }).restarts, true);
  assert.equal(
    planReconfiguration({ ...container, state: newState }, { Env: ['A=2'] }, { imagePorts: [], host })
      .restarts,
    false,
  );
});

test('planReconfiguration() has nothing to do for what is so already', () => {
  const same: ReconfigureRequest = {
    Env: ['A=1'],
    Labels: { m: '2' },
    PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
    Binds: ['data:/data'],
    Mounts: [{ Type: 'bind', Source: '/etc', Target: '/host/' }],
    Volumes: { '/cache': {} },
  };
  assert.deepEqual(lines(same), []);
  assert.deepEqual(plan(same).changedPorts, []);
});

for (const [request, message] of [
  [{ Env: ['A'] }, 'invalid environment variable: A'],
  [{ Env: ['=x'] }, 'invalid environment variable: =x'],
  [{ Remove: { Env: ['A=1'] } }, 'the container has no environment variable A=1'],
  [{ Remove: { Labels: ['toString'] } }, 'the container has no label toString'],
  [{ Remove: { Ports: ['80/udp'] } }, 'the container has no published port 80/udp'],
  [{ Remove: { Mounts: ['/other'] } }, 'the container has no mount at /other'],
  [{ PortBindings: { '80/icmp': [] } }, 'invalid port specification: "80/icmp"'],
  [{ PortBindings: { '80/tcp': [{ HostIp: 'x', HostPort: '' }] } }, 'invalid IP address: x'],
  [{ Binds: ['a:/x', 'b:/x/'] }, 'Duplicate mount point: /x'],
  [
    { Mounts: [{ Type: 'bind', Source: 'a', Target: '/x' }] },
    `invalid mount config for type "bind": invalid mount path: 'a' mount path must be absolute`,
  ],
] as readonly (readonly [ReconfigureRequest, string])[]) {
  test(`planReconfiguration() refuses ${JSON.stringify(request)}`, () => {
    assert.throws(() => plan(request), new EngineError('invalidArgument', message));
  });
}
