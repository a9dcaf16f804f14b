import assert from 'node:assert/strict';
import test from 'node:test';
import { parsePort, parsePortRange, portRequests } from './ports.ts';

test('parsePort() reads a number and a protocol', () => {
  assert.deepEqual(parsePort('80'), { port: 80, protocol: 'tcp' });
  assert.deepEqual(parsePort('53/UDP'), { port: 53, protocol: 'udp' });
  for (const text of ['', '0', '65536', 'http', '80/icmp', '80/tcp/x', '-1', '1-2']) {
    assert.throws(() => parsePort(text), /invalid/);
  }
});

test('parsePortRange() reads both ends', () => {
  assert.deepEqual(parsePortRange('8000-8010/tcp'), { range: { first: 8000, last: 8010 }, protocol: 'tcp' });
  assert.throws(() => parsePortRange('8010-8000'), /invalid containerPort: 8010-8000/);
});

test('portRequests() leaves the choice open for an empty or zero host port', () => {
  assert.deepEqual(
    portRequests({
      '80/tcp': [
        { HostIp: '', HostPort: '' },
        { HostIp: '127.0.0.1', HostPort: '0' },
        { HostIp: '::1', HostPort: '8080-8090' },
      ],
      '81/tcp': null,
      '82/tcp': [],
    }),
    [
      { port: 80, protocol: 'tcp', hostIp: '' },
      { port: 80, protocol: 'tcp', hostIp: '127.0.0.1' },
      { port: 80, protocol: 'tcp', hostIp: '::1', hostPorts: { first: 8080, last: 8090 } },
    ],
  );
});

test('portRequests() puts what must have one host port before what could take it', () => {
  const binding = (HostPort: string) => ({ HostIp: '', HostPort });
  const requests = portRequests({
    '443/tcp': [binding('8080-8090')],
    '81/udp': [binding('')],
    '81/tcp': [binding('9001'), binding('9000')],
    '80/tcp': [binding('8080')],
  });
  assert.deepEqual(
    requests.map(({ port, protocol, hostPorts }) => `${hostPorts?.first ?? 'any'} ${port}/${protocol}`),
    ['8080 80/tcp', '9000 81/tcp', '9001 81/tcp', 'any 81/udp', '8080 443/tcp'],
  );
});
