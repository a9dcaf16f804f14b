import assert from 'node:assert/strict';
import test from 'node:test';
import { Forwarder } from './forward.ts';

const query = Buffer.from('000101000001000000000000016100000100', 'hex');

test('ask() survives a server that the host has no way to', async () => {
  // The kernel refuses to connect to a broadcast address, as it does where there is no route.
  for (const transport of ['udp', 'tcp'] as const) {
    assert.equal(await new Forwarder().ask(query, transport, ['255.255.255.255']), undefined);
  }
});
