import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { parseHost } from './host.ts';
import { createClient, statusOf } from './index.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A daemon that speaks API 1.41 and answers with the handler. */
async function daemon(t: TestContext, handler: Handler): Promise<{ server: Server; host: string }> {
  const server = createServer((request, response) => {
    if (request.url === '/_ping') response.setHeader('Api-Version', '1.41').end();
    else handler(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, host: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function frame(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

test('createClient() uses the older API version of the two and sends filters', async (t) => {
  const seen: string[] = [];
  const { host } = await daemon(t, (request, response) => {
    seen.push(request.url ?? '');
    response.end('[]');
  });
  using client = createClient({ host });
  assert.equal(await client.apiVersion(), '1.41');
  assert.deepEqual(await client.containers.list({ all: true, filters: { label: ['a=b'] } }), []);
  assert.deepEqual(seen, [
    '/v1.41/containers/json?all=1&filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%7D',
  ]);
});

test('an error status becomes an EngineError with the text of the daemon', async (t) => {
  const { host } = await daemon(t, (_request, response) => {
    response.writeHead(409).end('{"message":"container is running"}');
  });
  using client = createClient({ host });
  await assert.rejects(client.containers.remove('x'), (error) => {
    assert.equal(statusOf(error), 409);
    assert.deepEqual(
      { code: (error as { code?: unknown }).code, message: (error as Error).message },
      { code: 'conflict', message: 'container is running' },
    );
    return true;
  });
});

test('starting a container that runs already is no error', async (t) => {
  const { host } = await daemon(t, (_request, response) => {
    response.writeHead(304).end();
  });
  using client = createClient({ host });
  await client.containers.start('x');
});

test('a daemon that is not there is told with its address', async () => {
  using client = createClient({ host: 'unix:///nonexistent/x.sock' });
  await assert.rejects(client.system.info(), {
    code: 'unavailable',
    message:
      'Cannot connect to the Gantry daemon at unix:///nonexistent/x.sock. Is the gantry daemon running?',
  });
});

test('attach() splits stdout and stderr, also across chunks, and half-closes', async (t) => {
  const { host, server } = await daemon(t, () => undefined);
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    socket.on('end', () => {
      const bytes = Buffer.concat([frame(1, 'out'), frame(2, 'error text'), frame(1, 'after eof')]);
      socket.write(bytes.subarray(0, 5));
      setImmediate(() => socket.end(bytes.subarray(5)));
    });
    socket.resume();
  });
  using client = createClient({ host });
  using connection = await client.containers.attach('x', {
    tty: false,
    stdin: true,
    stdout: true,
    stderr: true,
  });
  connection.input.end('input');
  const output = { stdout: '', stderr: '' };
  for await (const { stream, data } of connection.output) output[stream] += data.toString();
  assert.deepEqual(output, { stdout: 'outafter eof', stderr: 'error text' });
});

test('attach() refused by the daemon rejects with its message', async (t) => {
  const { host, server } = await daemon(t, () => undefined);
  server.on('upgrade', (_request, socket) => {
    socket.end(
      'HTTP/1.1 404 Not Found\r\nContent-Length: 24\r\nConnection: close\r\n\r\n{"message":"none such x"}',
    );
  });
  using client = createClient({ host });
  await assert.rejects(client.containers.attach('x', { tty: false }), { code: 'notFound' });
});

test('build() streams the context up and the progress down', async (t) => {
  const { host } = await daemon(t, (request, response) => {
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    request.on('end', () => {
      response.write('{"stream":"Step 1/1\\n"}\r\n{"aux":{"ID":"sha256:');
      response.end(`1"}}\r\n{"stream":"${size} bytes"}`);
    });
  });
  using client = createClient({ host });
  const messages = await Array.fromAsync(
    client.images.build(Readable.from([Buffer.alloc(100_000)]), { tags: ['a'] }),
  );
  assert.deepEqual(messages, [
    { stream: 'Step 1/1\n' },
    { aux: { ID: 'sha256:1' } },
    { stream: '100000 bytes' },
  ]);
});

test('build() sends each host to add as a parameter of its own', async (t) => {
  const { host } = await daemon(t, (request, response) => {
    const hosts = new URL(request.url ?? '', 'http://d').searchParams.getAll('extrahosts');
    response.end(JSON.stringify({ stream: hosts.join(' ') }));
  });
  using client = createClient({ host });
  const extraHosts = ['a:192.0.2.1', 'b:192.0.2.2'];
  const messages = await Array.fromAsync(client.images.build(undefined, { extraHosts }));
  assert.deepEqual(messages, [{ stream: 'a:192.0.2.1 b:192.0.2.2' }]);
});

test('build() sends what is to be refused, too', async (t) => {
  const { host } = await daemon(t, (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x');
    const refused = [...searchParams.getAll('securityopt'), ...searchParams.getAll('isolation')];
    response.writeHead(400).end(JSON.stringify({ message: refused.join(' ') }));
  });
  using client = createClient({ host });
  const messages = client.images.build(Readable.from([]), {
    securityOpt: ['seccomp=unconfined', 'label=x'],
    isolation: 'hyperv',
  });
  await assert.rejects(messages.next(), { message: 'seccomp=unconfined label=x hyperv' });
});

test('load() tells the refusal of a daemon that does not read on', async (t) => {
  const { host } = await daemon(t, (_request, response) => {
    response.writeHead(400, { Connection: 'close' }).end('{"message":"bad archive"}');
  });
  using client = createClient({ host });
  const endless = Readable.from(
    (function* () {
      for (let count = 0; count < 2000; count++) yield Buffer.alloc(65_536);
    })(),
  );
  await assert.rejects(Array.fromAsync(client.images.load(endless)), { message: 'bad archive' });
});

test('an abort ends a stream', async (t) => {
  const { host } = await daemon(t, (_request, response) => {
    response.write('{"Type":"container"}\n');
  });
  using client = createClient({ host });
  const stop = new AbortController();
  await assert.rejects(
    async () => {
      for await (const event of client.system.events({ signal: stop.signal })) {
        assert.equal(event.Type, 'container');
        stop.abort();
      }
    },
    { name: 'AbortError' },
  );
});

test('parseHost() reads the forms of DOCKER_HOST', () => {
  assert.deepEqual(parseHost('unix:///run/x.sock'), { kind: 'unix', path: '/run/x.sock' });
  assert.deepEqual(parseHost('tcp://[::1]:99/base'), {
    kind: 'tcp',
    hostname: '::1',
    port: 99,
    basePath: '/base',
  });
  assert.throws(() => parseHost('x'), { message: 'unable to parse docker host `x`' });
  for (const host of ['ssh://x', 'http://x', 'https://x:2376'])
    assert.throws(() => parseHost(host), { code: 'invalidArgument', message: /^unsupported protocol/ });
});
