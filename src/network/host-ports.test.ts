import assert from 'node:assert/strict';
import test from 'node:test';
import { HostPorts } from './host-ports.ts';
import { portRequests } from './ports.ts';

test('publish() tries one port of an address that the host lacks', async () => {
  using ports = new HostPorts();
  const requests = portRequests({ '80/tcp': [{ HostIp: '203.0.113.77', HostPort: '' }] });
  const tried = async () => {
    const publishing = ports.publish({ containerId: 'a', address: '127.0.0.1', requests });
    const failure = await publishing.then(() => 'published', String);
    const [, port] = /203\.0\.113\.77:(\d+):.* cannot assign requested address$/.exec(failure) ?? [];
    return Number(port);
  };
  const first = await tried();
  assert.equal(await tried(), first + 1);
});
