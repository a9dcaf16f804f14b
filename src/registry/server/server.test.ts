import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runWithHosts } from '../../../test/support/run-with-hosts.ts';
import { RegistryServer } from './server.ts';

test('a connection that waits for the server is not idle, one that waits for its client is', async () => {
  await using server = new RegistryServer({
    timeouts: { headersMs: 10_000, idleMs: 1_500, drainMs: 1_000 },
    handle: async (request, response) => {
      for await (const _ of request);
      await sleep(3_000);
      response.end('done');
    },
    onDefect: () => undefined,
  });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  const answer = await fetch(`http://${address}/`, { method: 'PUT', body: 'x' });
  assert.equal(await answer.text(), 'done');

  const socket = createConnection(Number(address.split(':')[1]), '127.0.0.1');
  socket.write('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx');
  const ended = Promise.withResolvers<void>();
  socket.resume().once('close', () => {
    ended.resolve();
  });
  await ended.promise;
});

test('listen() takes the IPv4 address of a name that has both', async () => {
  const module = join(import.meta.dirname, 'server.ts');
  const script = `
    import { RegistryServer } from ${JSON.stringify(module)};
    await using server = new RegistryServer({
      timeouts: { headersMs: 10_000, idleMs: 10_000, drainMs: 1_000 },
      handle: async (request, response) => response.end(request.socket.localAddress),
      onDefect: () => undefined,
    });
    const address = await server.listen({ host: 'localhost', port: 0 });
    const [host, port] = address.split(':');
    console.log(host, await (await fetch('http://127.0.0.1:' + port)).text());`;
  const printed = await runWithHosts(['::1 localhost', '127.0.0.1 localhost'], script);
  assert.equal(printed, 'localhost 127.0.0.1\n');
});
