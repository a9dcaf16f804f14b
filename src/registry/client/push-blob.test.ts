import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import test from 'node:test';
import { noProxies } from '../../../test/support/no-proxies.ts';
import { digestOf, parseReference } from '../../oci/index.ts';
import { createRegistryClient } from './create-client.ts';

/** Of a registry as GHCR and Google's, which has no blob yet. */
const statuses: Readonly<Record<string, number>> = { GET: 200, HEAD: 404, POST: 202, PUT: 201 };

test('pushBlob() sends a large blob to a registry that takes no pieces', async (t) => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const { method = '' } = request;
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.once('end', () => {
      seen.push(`${method} ${bytes}`);
      const location = method === 'POST' ? { Location: '/v2/app/blobs/uploads/one?state=x' } : {};
      response.writeHead(statuses[method] ?? 416, location).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using client = createRegistryClient({
    insecureRegistries: [],
    registryMirrors: [],
    certificateDirectories: [],
    proxies: noProxies,
    userAgent: 'test',
  });
  const block = Buffer.alloc(1 << 20);
  const blocks = 65;
  const size = blocks * block.length;
  await client
    .repository(parseReference(`${host}/app`), {}, 'push')
    .pushBlob({ digest: digestOf(''), size, open: async () => Readable.from(Array(blocks).fill(block)) });
  assert.deepEqual(seen.slice(-3), ['HEAD 0', 'POST 0', `PUT ${size}`]);
});
