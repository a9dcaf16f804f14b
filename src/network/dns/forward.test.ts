import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { Forwarder } from './forward.ts';

const query = Buffer.from('000101000001000000000000016100000100', 'hex');

test('ask() survives a server that there is no way to', async () => {
  // The kernel refuses to connect to a broadcast address, as it does where there is no route.
  for (const transport of ['udp', 'tcp'] as const) {
    const forwarder = new Forwarder('/proc/self/ns/net');
    assert.equal(await forwarder.ask(query, transport, ['255.255.255.255']), undefined);
  }
});

test("ask() asks servers that it is given from the container's network", async (t) => {
  const echo = `const ready = () => (listening += 1) === 2 && console.log('ready');
    let listening = 0;
    const udp = require('dgram').createSocket('udp4').bind(53, '127.0.0.1', ready);
    udp.on('message', (message, from) => udp.send(message, from.port, from.address));
    require('net').createServer((socket) => socket.pipe(socket)).listen(53, '127.0.0.1', ready);`;
  const script = 'ip link set lo up && exec "$@"';
  const child = spawn('unshare', ['-n', 'sh', '-c', script, 'sh', process.execPath, '-e', echo]);
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const forwarder = new Forwarder(`/proc/${child.pid}/ns/net`);
  for (const transport of ['udp', 'tcp'] as const) {
    assert.deepEqual(await forwarder.ask(query, transport, ['127.0.0.1']), query, transport);
  }
});
