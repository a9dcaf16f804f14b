import assert from 'node:assert/strict';
import test from 'node:test';
import { toCreateRequest } from './create-body.ts';

test('toCreateRequest() leaves the nulls of a health check out, as docker-py sends them', () => {
  const Healthcheck = {
    Test: ['CMD', 'true'],
    Interval: null,
    Timeout: null,
    StartPeriod: null,
    Retries: null,
  };
  assert.deepEqual(toCreateRequest({ Healthcheck }), { Healthcheck: { Test: ['CMD', 'true'] } });
});

test('toCreateRequest() fills in what a client leaves out of a binding, a limit or a device, or sends as null', () => {
  const body = {
    ExposedPorts: { '80/tcp': null },
    HostConfig: {
      PortBindings: { '80/tcp': [null], '81/tcp': [{ hostPort: '8081' }], '82/tcp': null },
      Ulimits: [{ Name: 'nofile', Soft: 5 }],
      Devices: [{ PathOnHost: '/dev/null' }],
      BlkioDeviceReadBps: [{ Path: '/dev/null' }],
      Mounts: [{ Target: '/x', BindOptions: { Propagation: null } }],
      LogConfig: { Config: null },
    },
    NetworkingConfig: { EndpointsConfig: { a: null, b: { IPAMConfig: null, Aliases: ['x'] } } },
  };
  assert.deepEqual(toCreateRequest(body), {
    ExposedPorts: { '80/tcp': {} },
    HostConfig: {
      PortBindings: {
        '80/tcp': [{ HostIp: '', HostPort: '' }],
        '81/tcp': [{ HostIp: '', HostPort: '8081' }],
        '82/tcp': [],
      },
      Ulimits: [{ Name: 'nofile', Soft: 5, Hard: 0 }],
      Devices: [{ PathOnHost: '/dev/null', PathInContainer: '', CgroupPermissions: '' }],
      BlkioDeviceReadBps: [{ Path: '/dev/null', Rate: 0 }],
      Mounts: [{ Type: '', Target: '/x', BindOptions: {} }],
      LogConfig: { Type: '', Config: {} },
    },
    NetworkingConfig: { EndpointsConfig: { a: {}, b: { Aliases: ['x'] } } },
  });
});

const refused: readonly [object, string][] = [
  [{ Healthcheck: { Interval: '5s' } }, 'string into Go struct field HealthConfig.Interval of type int64'],
  [{ Healthcheck: { Retries: 1.5 } }, 'number 1.5 into Go struct field HealthConfig.Retries of type int64'],
  [{ Healthcheck: { Test: 'true' } }, 'string into Go struct field HealthConfig.Test of type []string'],
  [
    { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: 8080 }] } } },
    'number into Go struct field PortBinding.HostPort of type string',
  ],
  [
    { HostConfig: { PortBindings: { '80/tcp': {} } } },
    'object into Go struct field HostConfig.PortBindings of type []PortBinding',
  ],
  [
    { HostConfig: { Mounts: [{ Type: 'volume', Target: 5 }] } },
    'number into Go struct field Mount.Target of type string',
  ],
  [
    { HostConfig: { Mounts: [{ Type: 'tmpfs', Target: '/x', TmpfsOptions: { Options: ['ro'] } }] } },
    'string into Go struct field TmpfsOptions.Options of type []string',
  ],
  [
    { HostConfig: { Mounts: [{ Type: 'volume', Target: '/x', VolumeOptions: { Labels: ['a'] } }] } },
    'array into Go struct field VolumeOptions.Labels of type map[string]string',
  ],
  [{ HostConfig: { Mounts: ['/x'] } }, 'string into Go struct field HostConfig.Mounts of type Mount'],
  [
    { HostConfig: { Ulimits: [{ Name: 'nofile', Hard: '5' }] } },
    'string into Go struct field Ulimit.Hard of type int64',
  ],
  [
    { HostConfig: { Devices: [{ PathOnHost: true }] } },
    'bool into Go struct field DeviceMapping.PathOnHost of type string',
  ],
  [
    { HostConfig: { DeviceRequests: [{ Capabilities: 'gpu' }] } },
    'string into Go struct field DeviceRequest.Capabilities of type [][]string',
  ],
  [{ HostConfig: { Memory: 1.5 } }, 'number 1.5 into Go struct field HostConfig.Memory of type int64'],
  [{ Volumes: { '/x': 5 } }, 'number into Go struct field Config.Volumes of type struct {}'],
  [
    { NetworkingConfig: { EndpointsConfig: { a: { IPAMConfig: { IPv4Address: 5 } } } } },
    'number into Go struct field EndpointIPAMConfig.IPv4Address of type string',
  ],
];

for (const [body, text] of refused) {
  test(`toCreateRequest() refuses ${JSON.stringify(body)}`, () => {
    const message = `invalid JSON: json: cannot unmarshal ${text}`;
    assert.throws(() => toCreateRequest({ ...body }), { code: 'invalidArgument', message });
  });
}
