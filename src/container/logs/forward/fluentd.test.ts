import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createFluentdSink } from './fluentd.ts';

test('createFluentdSink() keeps nothing of the batches that were sent', async (t) => {
  const server = createServer((socket) => socket.resume().on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const source = { tag: 'a', containerId: 'b', containerName: '/c', attributes: {} };
  await using sink = createFluentdSink(source, { 'fluentd-address': `127.0.0.1:${port}` });

  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const line = { stream: 'stdout', time: '2026-01-02T03:04:05.678901234Z', data: Buffer.from('x') } as const;
  const { signal } = new AbortController();
  const heapAfter = async (batches: number) => {
    for (let count = 0; count < batches; count++) await sink.send([line], signal);
    collect();
    return process.memoryUsage().heapUsed;
  };
  const warm = await heapAfter(2000);
  const growth = (await heapAfter(5000)) - warm;
  // A promise that each batch hangs on to is 10 MB by then.
  assert.ok(growth < 3e6, `the heap grew by ${growth} bytes`);
});
