import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegistryServer } from './server.ts';

test('a connection that waits for the server is not idle, one that waits for its client is', async () => {
  await using server = new RegistryServer({
    timeouts: { headersMs: 10_000, idleMs: 200, drainMs: 1_000 },
    handle: async (request, response) => {
      for await (const _ of request);
      await sleep(1_000);
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
