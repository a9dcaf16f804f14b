import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { RawClient, readFrames, serve } from '../../test/support/http-server.ts';
import { EngineError } from '../errors/index.ts';
import { decompress } from '../lib/decompress.ts';

const close = ['Host: d', 'Connection: close'];

/** The payload of a chunked body. */
function unchunk(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.subarray(at, end).toString(), 16);
    parts.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

test('build tells a failure by status before the first message and in the stream after it', async (t) => {
  const { path } = await serve(t, {
    builder: {
      build: async (request, listener) => {
        request.context.resume();
        if (request.target === 'early') throw new EngineError('invalidArgument', 'dockerfile parse error');
        listener.tell({ stream: 'Step 1/1 : FROM x\n' });
        throw new EngineError('notFound', 'No such image: x:latest');
      },
    },
  });
  const early = new RawClient(path);
  early.send('POST /v1.50/build?target=early HTTP/1.1', ...close, 'Content-Length: 3', '', 'tar');
  const refused = await early.answer();
  assert.deepEqual([refused.status, refused.body.toString()], [400, '{"message":"dockerfile parse error"}']);

  const late = new RawClient(path);
  late.send('POST /build HTTP/1.1', ...close, 'Content-Length: 3', '', 'tar');
  const answer = await late.answer();
  assert.equal(answer.status, 200);
  assert.equal(
    unchunk(answer.body).toString(),
    '{"stream":"Step 1/1 : FROM x\\n"}\r\n' +
      '{"errorDetail":{"message":"No such image: x:latest"},"error":"No such image: x:latest"}\r\n',
  );
});

test('build reads its parameters and passes on what the builder says', async (t) => {
  const seen: object[] = [];
  const { path } = await serve(t, {
    builder: {
      build: async (request, listener) => {
        const { context, ...rest } = request;
        context.resume();
        seen.push(rest);
        listener.tell({ stream: 'sha256:1\n' });
        return 'sha256:1' as never;
      },
    },
  });
  const query = new URLSearchParams([
    ['q', '1'],
    ['t', 'a:1'],
    ['t', 'b'],
    ['buildargs', '{"A":"1","B":null}'],
    ['labels', '{"l":"v"}'],
    ['ulimits', '[{"Name":"nofile","Soft":1,"Hard":2}]'],
    ['memory', '1024'],
    ['memswap', '-1'],
    ['cachefrom', '["app:1","app:2"]'],
    ['cpusetmems', '0-1'],
    ['cgroupparent', '/builds'],
    ['platform', 'linux/arm64/v8'],
    ['dockerfile', 'sub/Dockerfile'],
  ]);
  const client = new RawClient(path);
  client.send(`POST /build?${query.toString()} HTTP/1.1`, ...close, 'Content-Length: 0', '', '');
  const answer = await client.answer();
  assert.equal(unchunk(answer.body).toString(), '{"stream":"sha256:1\\n"}\r\n');
  assert.deepEqual(seen, [
    {
      dockerfile: 'sub/Dockerfile',
      tags: ['a:1', 'b'],
      buildArgs: { A: '1', B: null },
      labels: { l: 'v' },
      target: '',
      noCache: false,
      cacheFrom: ['app:1', 'app:2'],
      quiet: true,
      networkMode: '',
      extraHosts: [],
      shmSize: 0,
      ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
      memory: 1024,
      memorySwap: -1,
      cpuQuota: 0,
      cpuPeriod: 0,
      cpuShares: 0,
      cpusetCpus: '',
      cpusetMems: '0-1',
      cgroupParent: '/builds',
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
      pull: false,
      credentials: new Map(),
    },
  ]);
});

test('what a build says waits for a client that does not read', async (t) => {
  let said = 0;
  const stopped = Promise.withResolvers<void>();
  const line = { stream: 'x'.repeat(64 << 10) };
  const { path } = await serve(t, {
    builder: {
      build: async (request, listener) => {
        request.context.resume();
        for (; said < 1000; said += 1) {
          listener.tell(line);
          const ready = listener.ready();
          const late = setTimeout(() => {
            stopped.resolve();
          }, 1000);
          await ready;
          clearTimeout(late);
        }
        stopped.resolve();
        return 'sha256:1' as never;
      },
    },
  });
  const client = new RawClient(path);
  client.socket.pause();
  client.send('POST /build HTTP/1.1', ...close, 'Content-Length: 0', '', '');
  await stopped.promise;
  assert.ok(said < 200, String(said));
  client.socket.resume();
  assert.ok((await client.answer()).body.length > 1000 * line.stream.length);
});

for (const [query, message] of [
  ['securityopt=label%3Ddisable', 'security options are not supported on linux'],
  ['cachefrom=%7B%7D', 'invalid value for cachefrom: a list of strings is expected'],
  ['isolation=hyperv', 'unsupported isolation: "hyperv"'],
  ['squash=1', 'squash is only supported with experimental mode'],
]) {
  test(`build refuses ${query}`, async (t) => {
    const { path } = await serve(t, { builder: { build: async () => assert.fail('it was built') } });
    const client = new RawClient(path);
    client.send(`POST /build?${query} HTTP/1.1`, ...close, 'Content-Length: 0', '', '');
    const { status, body } = await client.answer();
    assert.deepEqual([status, JSON.parse(body.toString())], [400, { message }]);
  });
}

test('build is aborted when the client leaves', async (t) => {
  const aborted = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const { path } = await serve(t, {
    builder: {
      build: async (request, _listener, signal) => {
        request.context.resume().on('error', () => undefined);
        started.resolve();
        await once(signal, 'abort');
        aborted.resolve();
        throw signal.reason;
      },
    },
  });
  const client = new RawClient(path);
  client.send('POST /build HTTP/1.1', 'Host: d', 'Content-Length: 0', '', '');
  await started.promise;
  client.socket.destroy();
  await aborted.promise;
});

test('wait sends its headers before the result', async (t) => {
  const exited = Promise.withResolvers<{ StatusCode: number; Error: null }>();
  const { path } = await serve(t, { containers: { wait: async () => ({ result: exited.promise }) } });
  const client = new RawClient(path);
  client.send('POST /containers/c/wait HTTP/1.1', ...close, '', '');
  await client.until('\r\n\r\n');
  exited.resolve({ StatusCode: 3, Error: null });
  assert.equal(unchunk((await client.answer()).body).toString(), '{"StatusCode":3,"Error":null}\n');
});

test('logs passes times and tail on, and tells a late error as stream 3', async (t) => {
  const queries: object[] = [];
  const { path } = await serve(t, {
    containers: {
      logs: async (_name, query) => {
        queries.push(query);
        const body = Readable.from(
          (async function* () {
            yield Buffer.from([1, 0, 0, 0, 0, 0, 0, 1, 0x61]);
            throw new Error('disk gone');
          })(),
        );
        return { tty: false, body };
      },
    },
  });
  const client = new RawClient(path);
  client.send(
    'GET /containers/c/logs?stdout=1&follow=true&since=1700000000.5&until=0&tail=all&timestamps=0 HTTP/1.1',
    ...close,
    '',
    '',
  );
  const answer = await client.answer();
  assert.match(answer.headers, /application\/vnd\.docker\.multiplexed-stream/);
  assert.deepEqual(readFrames(unchunk(answer.body)), [
    { stream: 1, text: 'a' },
    { stream: 3, text: 'Error grabbing logs: disk gone\n' },
  ]);
  assert.deepEqual(queries, [
    {
      stdout: true,
      stderr: false,
      follow: true,
      timestamps: false,
      details: false,
      sinceNano: 1_700_000_000_500_000_000n,
    },
  ]);
});

test('events sends headers at once and the fields older clients read', async (t) => {
  const more = Promise.withResolvers<void>();
  const { path } = await serve(t, {
    system: {
      async *events() {
        await more.promise;
        yield {
          Type: 'container' as const,
          Action: 'start',
          Actor: { ID: 'c1', Attributes: { image: 'busybox' } },
          scope: 'local' as const,
          time: 1,
          timeNano: 1_000_000_000,
        };
      },
    },
  });
  const client = new RawClient(path);
  client.send('GET /events HTTP/1.1', ...close, '', '');
  await client.until('\r\n\r\n');
  more.resolve();
  const [line = ''] = unchunk((await client.answer()).body)
    .toString()
    .split('\n');
  assert.deepEqual(JSON.parse(line), {
    status: 'start',
    id: 'c1',
    from: 'busybox',
    Type: 'container',
    Action: 'start',
    Actor: { ID: 'c1', Attributes: { image: 'busybox' } },
    scope: 'local',
    time: 1,
    timeNano: 1_000_000_000,
  });
});

test('stats of an unknown container is a 404', async (t) => {
  const { path } = await serve(t, {
    containers: {
      // biome-ignore lint/correctness/useYield: it fails before the first sample
      async *stats(name) {
        throw new EngineError('notFound', `No such container: ${name}`);
      },
    },
  });
  const client = new RawClient(path);
  client.send('GET /containers/nope/stats?stream=0 HTTP/1.1', ...close, '', '');
  assert.equal((await client.answer()).status, 404);
});

test('archive carries the path stat in a header', async (t) => {
  const stat = { name: 'f', size: 3, mode: 420, mtime: '2024-01-01T00:00:00Z', linkTarget: '' };
  const { path } = await serve(t, {
    containers: {
      statPath: async () => stat,
      getArchive: async () => ({ stat, tar: Readable.from([Buffer.from('tar')]) }),
    },
  });
  for (const method of ['HEAD', 'GET']) {
    const client = new RawClient(path);
    client.send(`${method} /containers/c/archive?path=/f HTTP/1.1`, ...close, '', '');
    const answer = await client.answer();
    const encoded = /x-docker-container-path-stat: (\S+)/i.exec(answer.headers)?.[1] ?? '';
    assert.deepEqual(JSON.parse(Buffer.from(encoded, 'base64').toString()), stat);
    assert.equal(
      answer.body.length > 0 ? unchunk(answer.body).toString() : '',
      method === 'GET' ? 'tar' : '',
    );
  }
});

test('a client that sends all of an archive before it reads hears why it was refused, and may go on', {
  timeout: 60_000,
}, async (t) => {
  const { path } = await serve(t, {
    containers: {
      putArchive: async (_name, where, tar) => {
        const refused = new EngineError('notFound', `refused: ${where}`);
        if (where === 'unread') throw refused;
        const { stream } = await decompress(tar);
        if (where === 'peeked') throw refused;
        for await (const _chunk of stream) if (where === 'left') throw refused;
      },
    },
  });
  const bytes = randomBytes(4 << 20);
  const packed = gzipSync(bytes, { level: 0 });
  const damaged = Buffer.concat([packed.subarray(0, 1000), bytes]);
  for (const [where, body, told] of [
    ['unread', bytes, 'refused: unread'],
    ['peeked', bytes, 'refused: peeked'],
    ['left', bytes, 'refused: left'],
    ['left', packed, 'refused: left'],
    ['read', damaged, 'damaged gzip data'],
  ] as const) {
    const client = new RawClient(path);
    const length = `Content-Length: ${body.length}`;
    client.send(`PUT /containers/c/archive?path=${where} HTTP/1.1`, 'Host: d', length, '', '');
    await new Promise<unknown>((sent) => client.socket.write(body, sent));
    await client.until(told);
    client.send('GET /_ping HTTP/1.1', ...close, '', '');
    assert.match((await client.answer()).body.toString(), /OK$/, told);
  }
});

test('a download that fails half-way breaks the connection', async (t) => {
  const { path } = await serve(t, {
    containers: {
      export: async () =>
        Readable.from(
          (async function* () {
            yield Buffer.from('half');
            throw new Error('disk gone');
          })(),
        ),
    },
  });
  const client = new RawClient(path);
  client.send('GET /containers/c/export HTTP/1.1', ...close, '', '');
  assert.doesNotMatch((await client.answer()).body.toString(), /0\r\n\r\n$/);
});
