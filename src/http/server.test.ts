import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import test from 'node:test';
import { pino } from 'pino';
import { RawClient, serve } from '../../test/support/http-server.ts';
import { EngineError } from '../errors/index.ts';
import { createHttpServer } from './server.ts';

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function call(
  socketPath: string,
  path: string,
  { method = 'GET', headers = {}, body }: Call = {},
): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const sent = request({ socketPath, path, method, headers, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
    });
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

const json = { 'Content-Type': 'application/json' };

test('server answers _ping bare and with every supported version', async (t) => {
  const { path } = await serve(t, {});
  for (const prefix of ['', '/v1.24', '/v1.41', '/v1.50']) {
    const answer = await call(path, `${prefix}/_ping`);
    assert.equal(answer.status, 200);
    assert.equal(answer.body, 'OK');
    assert.equal(answer.headers['api-version'], '1.50');
    assert.equal(answer.headers['ostype'], 'linux');
    assert.equal(answer.headers['docker-experimental'], 'false');
    assert.match(String(answer.headers['server']), /^Docker\/[\d.]+ \(linux\)$/);
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
  }
  const head = await call(path, '/_ping', { method: 'HEAD' });
  assert.deepEqual([head.status, head.body, head.headers['builder-version']], [200, '', '1']);
});

test('server refuses versions out of range with the words of Docker', async (t) => {
  const { path } = await serve(t, {});
  const message = async (url: string) => {
    const answer = await call(path, url);
    assert.equal(answer.status, 400);
    return (JSON.parse(answer.body) as { message: string }).message;
  };
  assert.equal(
    await message('/v1.51/info'),
    'client version 1.51 is too new. Maximum supported API version is 1.50',
  );
  assert.equal(
    await message('/v1.23/_ping'),
    'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
  );
});

test('server answers unknown paths and methods with page not found', async (t) => {
  const { path } = await serve(t, {});
  for (const [method, url] of [
    ['GET', '/nothing'],
    ['GET', '/v1.50/nothing/here'],
    ['POST', '/_ping'],
    ['POST', '/v1.50/session'],
    ['POST', '/grpc'],
    ['GET', '/images/busybox/attestations'],
    ['GET', '/v1.50'],
  ] as const) {
    const answer = await call(path, url, { method });
    assert.deepEqual([answer.status, answer.body], [404, '{"message":"page not found"}'], `${method} ${url}`);
  }
});

test('server refuses a path that is no URL', async (t) => {
  const { path } = await serve(t, {});
  const answer = await call(path, '/containers/%zz/json');
  assert.equal(answer.status, 400);
  assert.match(answer.body, /^\{"message":"[^"]+"\}$/);
});

test('server says that it is no swarm manager', async (t) => {
  const { path } = await serve(t, {});
  for (const url of ['/swarm', '/v1.44/services', '/nodes/x', '/secrets/a', '/configs', '/tasks/1/logs']) {
    const answer = await call(path, url);
    assert.equal(answer.status, 503);
    assert.match(answer.body, /^\{"message":"This node is not a swarm manager\. Use /);
  }
  assert.equal((await call(path, '/plugins')).body, '[]');
});

test('server maps error codes to statuses', async (t) => {
  const { path } = await serve(t, {
    containers: {
      start: async (name) => {
        if (name === 'running') throw new EngineError('notModified', 'already running');
        if (name === 'full') throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
        throw new EngineError('notFound', `No such container: ${name}`);
      },
    },
  });
  const start = async (name: string) => call(path, `/containers/${name}/start`, { method: 'POST' });
  assert.deepEqual([(await start('running')).status, (await start('running')).body], [304, '']);
  assert.equal((await start('full')).status, 500);
  const missing = await start('x');
  assert.deepEqual([missing.status, missing.body], [404, '{"message":"No such container: x"}']);
  assert.equal(missing.headers['content-type'], 'application/json');
});

test('server holds bodies to the JSON rules of Docker', async (t) => {
  const { path } = await serve(t, {
    containers: { create: async (body) => ({ Id: JSON.stringify(body), Warnings: [] }) },
  });
  const create = async (body: string | undefined, headers: Record<string, string> = json) => {
    const answer = await call(path, '/containers/create', {
      method: 'POST',
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const { message, Id } = JSON.parse(answer.body) as { message?: string; Id?: string };
    return `${answer.status} ${message ?? Id ?? ''}`;
  };
  assert.equal(await create('{"Image":"a","Cmd":"x","Env":null}'), '201 {"Image":"a","Cmd":["x"]}');
  assert.equal(
    await create('{"Image":"a"}', { 'Content-Type': 'Application/JSON; charset=utf-8' }),
    '201 {"Image":"a"}',
  );
  assert.equal(
    await create('{}', { 'Content-Type': 'text/plain' }),
    "400 unsupported Content-Type header (text/plain): must be 'application/json'",
  );
  assert.equal(await create('{}', { 'Content-Type': ';;bad' }), '400 malformed Content-Type header (;;bad)');
  assert.equal(await create('{"Image":"a"} {}'), '400 unexpected content after JSON');
  assert.match(await create('{"Image":'), /^400 invalid JSON: /);
  assert.equal(await create(' '), '400 invalid JSON: got EOF while reading request body');
  assert.match(
    await create('{"Tty":"yes"}'),
    /^400 invalid JSON: json: cannot unmarshal string into .*Config\.Tty/,
  );
  assert.match(await create('[]'), /^400 invalid JSON/);
  assert.match(await create(undefined), /^400 config cannot be empty/);
});

test('server checks the fields of a volume and a network to make and of an endpoint as those of a container', async (t) => {
  const { path } = await serve(t, {});
  const refusal = async (to: string, body: object) => {
    const answer = await call(path, to, { method: 'POST', headers: json, body: JSON.stringify(body) });
    return `${answer.status} ${(JSON.parse(answer.body) as { message: string }).message}`;
  };
  const refused = '400 invalid JSON: json: cannot unmarshal';
  assert.equal(
    await refusal('/volumes/create', { Labels: ['a'] }),
    `${refused} array into Go struct field CreateOptions.Labels of type map[string]string`,
  );
  assert.equal(
    await refusal('/networks/a/connect', { Container: 'b', EndpointConfig: { Aliases: 'x' } }),
    `${refused} string into Go struct field EndpointSettings.Aliases of type []string`,
  );
  for (const [field, value, said] of [
    ['Options', { mtu: 1500 }, 'number into Go struct field CreateRequest.Options of type string'],
    ['Labels', { build: 7 }, 'number into Go struct field CreateRequest.Labels of type string'],
    ['Internal', 'false', 'string into Go struct field CreateRequest.Internal of type bool'],
    ['IPAM', { Config: {} }, 'object into Go struct field IPAM.Config of type []IPAMConfig'],
    ['ConfigFrom', 'x', 'string into Go struct field CreateRequest.ConfigFrom of type ConfigReference'],
  ] as const) {
    assert.equal(await refusal('/networks/create', { Name: 'a', [field]: value }), `${refused} ${said}`);
  }
  assert.equal(await refusal('/networks/create', { Name: null }), '400 network name is required');
});

test('server takes image names with slashes from the path', async (t) => {
  const { path } = await serve(t, {
    images: {
      history: (name) => [{ Id: name, Created: 0, CreatedBy: '', Tags: null, Size: 0, Comment: '' }],
      remove: async (name, options) => [{ Untagged: `${name} ${options.force}` }],
      tag: (name, reference) => {
        assert.deepEqual([name, reference], ['host:5000/team/app:1', 'other/app:2']);
      },
    },
  });
  const history = await call(path, '/v1.50/images/host:5000/team/app@sha256:0123/history');
  assert.match(history.body, /"Id":"host:5000\/team\/app@sha256:0123"/);
  assert.match((await call(path, '/images/team%2Fapp/history')).body, /"Id":"team\/app"/);
  const removed = await call(path, '/images/team/app:1?force=1', { method: 'DELETE' });
  assert.equal(removed.body, '[{"Untagged":"team/app:1 true"}]');
  const tagged = await call(path, '/images/host:5000/team/app:1/tag?repo=other/app&tag=2', {
    method: 'POST',
  });
  assert.equal(tagged.status, 201);
});

test('server shapes images for older clients', async (t) => {
  const image = { Id: 'sha256:1', Size: 7 };
  const names = { RepoTags: [], RepoDigests: [] };
  const { path } = await serve(t, {
    images: { list: ({ all }) => [{ ...image, ...(all ? names : {}) } as never] },
  });
  assert.equal((await call(path, '/v1.43/images/json')).body, '[{"Id":"sha256:1","Size":7,"VirtualSize":7}]');
  assert.equal((await call(path, '/v1.44/images/json')).body, '[{"Id":"sha256:1","Size":7}]');
  assert.match((await call(path, '/v1.43/images/json?all=1')).body, /"RepoTags":\[\],"RepoDigests":\[\]/);
  assert.match(
    (await call(path, '/v1.42/images/json?all=1')).body,
    /"RepoTags":\["<none>:<none>"\],"RepoDigests":\["<none>@<none>"\]/,
  );
});

test('server reports a bad filter, number and resize', async (t) => {
  const { path } = await serve(t, {});
  const message = async (url: string, method = 'GET') => {
    const answer = await call(path, url, { method });
    assert.equal(answer.status, 400);
    return (JSON.parse(answer.body) as { message: string }).message;
  };
  const filters = encodeURIComponent('{"nope":["1"]}');
  assert.equal(await message(`/containers/json?filters=${filters}`), "invalid filter 'nope'");
  assert.match(await message('/containers/json?limit=x'), /limit/);
  assert.equal(await message('/containers/a/resize?w=1', 'POST'), 'invalid resize height "": invalid syntax');
  assert.equal(await message('/containers/a/wait?condition=soon', 'POST'), 'invalid condition: "soon"');
  assert.match(await message('/containers/a/logs'), /must choose at least one stream/);
});

for (const line of [
  'GET /containers/json',
  'GET /images/json',
  'GET /images/search?term=x',
  'GET /networks',
  'GET /volumes',
  'GET /events',
  ...['/containers', '/images', '/networks', '/volumes', '/build'].map((of) => `POST ${of}/prune`),
]) {
  test(`server refuses an unknown filter of ${line}`, async (t) => {
    const { path } = await serve(t, {});
    const [method = '', url = ''] = line.split(' ');
    const filters = encodeURIComponent('{"nope":["1"]}');
    const answer = await call(path, `${url}${url.includes('?') ? '&' : '?'}filters=${filters}`, { method });
    assert.deepEqual([answer.status, JSON.parse(answer.body)], [400, { message: "invalid filter 'nope'" }]);
  });
}

test('server keeps a socket for owner and group, and replaces a dead one only', async (t) => {
  const { path } = await serve(t, {});
  assert.equal((await stat(path)).mode & 0o777, 0o660);
  const parts = { containers: {}, images: {}, networks: {}, volumes: {}, builder: {}, system: {} };
  const second = createHttpServer({ engine: parts as never, logger: pino({ level: 'silent' }) });
  t.after(() => second.close());
  await assert.rejects(second.listen(`unix://${path}`), { code: 'conflict' });
  await assert.rejects(second.listen('http://localhost'), { code: 'invalidArgument' });
  const tcp = await second.listen('tcp://127.0.0.1:0');
  await assert.rejects(second.listen(tcp), { code: 'conflict' });
  assert.equal((await call(path, '/_ping')).body, 'OK');
});

test('close() ends idle and streaming clients', async (t) => {
  const parts = { containers: {}, images: {}, networks: {}, volumes: {}, builder: {} };
  const system = {
    async *events(_query: unknown, signal: AbortSignal) {
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
      yield {};
    },
  };
  const server = createHttpServer({
    engine: { ...parts, system } as never,
    logger: pino({ level: 'silent' }),
  });
  t.after(() => server.close());
  const host = await server.listen('tcp://127.0.0.1:0');
  const socket = createConnection({ host: '127.0.0.1', port: Number(new URL(host).port) });
  socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  const began = performance.now();
  const ended = new Promise((resolve) => socket.once('close', resolve));
  await server.close();
  await ended;
  assert.ok(performance.now() - began < 2_000);
});

test('server answers an error to an upgrade request as plain HTTP', async (t) => {
  const { path } = await serve(t, {
    containers: {
      attach: async (name) => {
        throw new EngineError('notFound', `No such container: ${name}`);
      },
    },
  });
  const client = new RawClient(path);
  client.send(
    'POST /v1.50/containers/x/attach?stream=1 HTTP/1.1',
    'Host: d',
    'Connection: Upgrade',
    'Upgrade: tcp',
    'Content-Length: 0',
    '',
    '',
  );
  const answer = await client.answer();
  assert.equal(answer.status, 404);
  assert.match(answer.body.toString(), /No such container: x/);
});

test('server says of which container a kill failed, with the status of the failure', async (t) => {
  const { path } = await serve(t, {
    containers: {
      kill: async () => {
        throw new EngineError('conflict', 'container 0123 is not running');
      },
    },
  });
  const { status, body } = await call(path, '/containers/web/kill', { method: 'POST' });
  assert.equal(status, 409);
  assert.equal(body, '{"message":"cannot kill container: web: container 0123 is not running"}');
});
