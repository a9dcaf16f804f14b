import assert from 'node:assert/strict';
import { request } from 'node:http';
import test, { after } from 'node:test';
import { type ApiSpec, openApiSpec } from '../support/api-spec.ts';
import { startDaemon } from '../support/daemon.ts';
import { tarOf } from '../support/image-store.ts';

// Answers of every kind of route, but for registries and archives, against Docker's description of the API.

const version = '1.50';

const size = { h: '10', w: '20' };

/** Docker itself answers null here, whatever the description says. */
const nullInDocker = [
  'GET /containers/{id}/json /HostConfig/MemorySwappiness ',
  'GET /exec/{id}/json /ExitCode ',
];

interface Call {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Parts of the path that stand in braces. */
  readonly id?: string;
}

test('answers are as the API describes them', async () => {
  const engine = await startDaemon({ after });
  const client = new Client(engine.host.slice('unix://'.length), openApiSpec(version));
  await containerCalls(client, (...args) => engine.ok(args));
  await execCalls(client);
  await missingCalls(client);
  await networkAndVolumeCalls(client);
  await imageCalls(client);
  await systemCalls(client);
  await endCalls(client);
  assert.deepEqual(
    client.problems.filter((problem) => !nullInDocker.some((field) => problem.includes(field))),
    [],
  );
});

class Client {
  readonly problems: string[] = [];
  readonly #socketPath: string;
  readonly #spec: ApiSpec;

  constructor(socketPath: string, spec: ApiSpec) {
    this.#socketPath = socketPath;
    this.#spec = spec;
  }

  /** Calls a route and checks its answer; `expected` is the status it must have. */
  async call(line: string, expected: number, call: Call = {}): Promise<unknown> {
    const { ended } = await this.begin(line, expected, call);
    return ended;
  }

  /** The same, once the answer has begun. */
  async begin(line: string, expected: number, call: Call): Promise<{ readonly ended: Promise<unknown> }> {
    const [method = '', route = ''] = line.split(' ');
    const query = new URLSearchParams(call.query).toString();
    const path = `/v${version}${route.replace(/\{\w+\}/, call.id ?? '')}?${query}`;
    const { status, type, bytes } = await this.#send(method, path, call.body);
    return { ended: this.#checked({ method, route, status, type, expected, bytes }) };
  }

  async #checked(answer: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly type: string;
    readonly expected: number;
    readonly bytes: Promise<Buffer>;
  }): Promise<unknown> {
    const { method, route, status, type } = answer;
    const text = (await answer.bytes).toString();
    assert.equal(status, answer.expected, `${method} ${route}: ${text}`);
    const isJson = type.includes('json') && text !== '' && !text.trimEnd().includes('\n');
    const value: unknown = isJson ? JSON.parse(text) : text;
    this.problems.push(...this.#spec.problems({ method, route, status, body: value }));
    return value;
  }

  async #send(method: string, path: string, body: unknown) {
    const { promise, resolve, reject } = Promise.withResolvers<{
      status: number;
      type: string;
      bytes: Promise<Buffer>;
    }>();
    const isTar = body instanceof Uint8Array;
    const headers =
      body === undefined ? {} : { 'Content-Type': isTar ? 'application/x-tar' : 'application/json' };
    const call = request({ socketPath: this.#socketPath, method, path, headers }, (answer) => {
      const type = answer.headers['content-type'] ?? '';
      const chunks = Array.fromAsync(answer as AsyncIterable<Buffer>);
      resolve({ status: answer.statusCode ?? 0, type, bytes: chunks.then((all) => Buffer.concat(all)) });
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : isTar ? body : JSON.stringify(body));
    return promise;
  }
}

async function containerCalls(client: Client, docker: (...args: string[]) => string): Promise<void> {
  const config = { Image: 'base:1', Cmd: ['sh', '-c', 'echo out; echo x >/new; exec sleep 1000'] };
  const created = await client.call('POST /containers/create', 201, {
    query: { name: 'plain' },
    body: config,
  });
  assert.match(String((created as { Id: string }).Id), /^[0-9a-f]{64}$/);
  const id = 'plain';
  await client.call('POST /containers/create', 400, {
    body: { ...config, HostConfig: { NetworkMode: 'x:y:z', IpcMode: 'bad' } },
  });
  await client.call('POST /containers/create', 404, { body: { Image: 'nosuch' } });
  await client.call('POST /containers/create', 409, { query: { name: 'plain' }, body: config });
  await client.call('GET /containers/{id}/json', 200, { id });
  await client.call('POST /containers/{id}/start', 204, { id });
  await client.call('POST /containers/{id}/start', 304, { id });
  await client.call('POST /containers/{id}/start', 400, { id, body: { Binds: ['/a:/b'] } });
  // One that uses most of what an answer can tell.
  docker(
    ...[
      'run',
      '-d',
      '--name',
      'full',
      '-p',
      '127.0.0.1::80',
      '-v',
      'data:/data',
      '--tmpfs',
      '/t',
      '--restart',
      'on-failure:3',
    ],
    ...[
      '--health-cmd',
      'true',
      '--health-interval',
      '1s',
      '--memory',
      '64m',
      '--ulimit',
      'nofile=100:200',
      '--label',
      'a=b',
    ],
    ...[
      '--mount',
      'type=bind,src=/tmp,dst=/m,readonly',
      '--add-host',
      'h:192.0.2.1',
      '--dns',
      '192.0.2.2',
      '--device',
      '/dev/null:/dev/n',
    ],
    ...['base:1', 'sleep', '1000'],
  );
  for (const each of [id, 'full']) {
    await client.call('GET /containers/{id}/json', 200, { id: each, query: { size: '1' } });
    await client.call('GET /containers/{id}/stats', 200, { id: each, query: { stream: '0' } });
  }
  await client.call('GET /containers/json', 200, { query: { all: '1', size: '1' } });
  await client.call('GET /containers/json', 400, { query: { filters: '{"nosuch":["x"]}' } });
  await client.call('GET /containers/{id}/top', 200, { id });
  await client.call('GET /containers/{id}/changes', 200, { id });
  await client.call('GET /containers/{id}/logs', 200, { id, query: { stdout: '1' } });
  await client.call('GET /containers/{id}/export', 200, { id });
  await client.call('POST /containers/{id}/update', 200, {
    id: 'full',
    body: { Memory: 70 << 20, MemorySwap: 140 << 20 },
  });
  await client.call('POST /containers/{id}/rename', 409, { id, query: { name: 'full' } });
  await client.call('POST /containers/{id}/rename', 204, { id: 'full', query: { name: 'fuller' } });
  await client.call('POST /containers/{id}/pause', 204, { id });
  await client.call('POST /containers/{id}/unpause', 204, { id });
  await client.call('POST /containers/{id}/resize', 200, { id, query: size });
  await client.call('HEAD /containers/{id}/archive', 200, { id, query: { path: '/new' } });
  await client.call('GET /containers/{id}/archive', 200, { id, query: { path: '/new' } });
  for (const method of ['HEAD', 'GET', 'PUT']) {
    const body = method === 'PUT' ? { body: new Uint8Array(1024) } : {};
    await client.call(`${method} /containers/{id}/archive`, 404, { id, query: { path: '/nosuch' }, ...body });
    await client.call(`${method} /containers/{id}/archive`, 400, { id, ...body });
  }
  await client.call('PUT /containers/{id}/archive', 200, {
    id,
    query: { path: '/tmp' },
    body: new Uint8Array(1024),
  });
  await client.call('POST /containers/{id}/attach', 200, { id, query: { logs: '1', stdout: '1' } });
  await client.call('POST /containers/{id}/attach', 400, { id, query: { detachKeys: 'nosuch' } });
  await client.call('GET /containers/{id}/attach/ws', 400, { id });
}

async function missingCalls(client: Client): Promise<void> {
  const lines = [
    ...['json', 'top', 'logs', 'changes', 'export', 'stats', 'archive'].map(
      (word) => `GET /containers/{id}/${word}`,
    ),
    ...['start', 'stop', 'restart', 'kill', 'pause', 'unpause'].map(
      (word) => `POST /containers/{id}/${word}`,
    ),
    ...['resize', 'rename', 'attach', 'wait'].map((word) => `POST /containers/{id}/${word}`),
    'HEAD /containers/{id}/archive',
    'DELETE /containers/{id}',
    'GET /exec/{id}/json',
    'POST /exec/{id}/resize',
  ];
  const query = { ...size, name: 'some', path: '/', stdout: '1' };
  for (const line of lines) await client.call(line, 404, { id: 'nosuch', query });
  for (const line of ['POST /containers/{id}/update', 'POST /containers/{id}/exec', 'POST /exec/{id}/start'])
    await client.call(line, 404, { id: 'nosuch', body: { Cmd: ['true'] } });
  const archive = { query: { path: '/' }, body: new Uint8Array(1024) };
  await client.call('PUT /containers/{id}/archive', 404, { id: 'nosuch', ...archive });
}

async function execCalls(client: Client): Promise<void> {
  const body = {
    AttachStdout: true,
    AttachStderr: true,
    Cmd: ['sh', '-c', 'echo hi; exit 3'],
    Env: ['A=b'],
    User: 'nobody',
  };
  const { Id: id } = (await client.call('POST /containers/{id}/exec', 201, { id: 'plain', body })) as {
    Id: string;
  };
  await client.call('GET /exec/{id}/json', 200, { id });
  await client.call('POST /exec/{id}/start', 200, { id, body: { Detach: false, Tty: false } });
  await client.call('GET /exec/{id}/json', 200, { id });
  await client.call('POST /exec/{id}/start', 409, { id, body: {} });
  const screen = { Cmd: ['sleep', '1000'], Tty: true };
  const shown = (await client.call('POST /containers/{id}/exec', 201, { id: 'plain', body: screen })) as {
    Id: string;
  };
  await client.call('POST /exec/{id}/start', 200, { id: shown.Id, body: { Detach: true, Tty: true } });
  await client.call('POST /exec/{id}/resize', 200, { id: shown.Id, query: size });
  await client.call('POST /exec/{id}/resize', 400, { id: shown.Id, query: { ...size, h: 'x' } });
}

async function networkAndVolumeCalls(client: Client): Promise<void> {
  const { Id: id } = (await client.call('POST /networks/create', 201, {
    body: { Name: 'net', Labels: { a: 'b' }, IPAM: { Driver: 'default', Config: [] } },
  })) as { Id: string };
  await client.call('POST /networks/create', 403, { body: { Name: 'bridge' } });
  await client.call('POST /networks/{id}/connect', 200, {
    id,
    body: { Container: 'plain', EndpointConfig: { Aliases: ['p'] } },
  });
  await client.call('POST /networks/{id}/connect', 403, { id, body: { Container: 'plain' } });
  await client.call('POST /networks/{id}/connect', 404, { id: 'nosuch', body: { Container: 'plain' } });
  await client.call('GET /containers/{id}/json', 200, { id: 'plain' });
  await client.call('GET /networks/{id}', 200, { id });
  await client.call('GET /networks/{id}', 404, { id: 'nosuch' });
  await client.call('GET /networks', 200);
  await client.call('DELETE /networks/{id}', 403, { id });
  await client.call('POST /networks/{id}/disconnect', 200, { id, body: { Container: 'plain' } });
  await client.call('POST /networks/{id}/disconnect', 403, { id, body: { Container: 'plain' } });
  await client.call('DELETE /networks/{id}', 204, { id });
  await client.call('POST /networks/prune', 200);
  await client.call('POST /volumes/create', 201, { body: { Name: 'other', Labels: { a: 'b' } } });
  await client.call('GET /volumes', 200);
  await client.call('GET /volumes/{name}', 200, { id: 'other' });
  await client.call('GET /volumes/{name}', 404, { id: 'nosuch' });
  await client.call('DELETE /volumes/{name}', 409, { id: 'data' });
  await client.call('DELETE /volumes/{name}', 204, { id: 'other' });
  await client.call('POST /volumes/prune', 200);
}

async function imageCalls(client: Client): Promise<void> {
  const id = 'made:1';
  const dockerfile = 'FROM base:1\nENV A=b\nEXPOSE 80\nVOLUME /v\nCMD ["true"]\n';
  await client.call('POST /build', 200, { query: { t: id }, body: tarOf({ Dockerfile: dockerfile }) });
  await client.call('POST /build', 400, { body: tarOf({ Dockerfile: 'NOPE\n' }) });
  await client.call('POST /commit', 201, {
    query: { container: 'plain', repo: 'committed', tag: '1' },
    body: {},
  });
  await client.call('POST /commit', 404, { query: { container: 'nosuch' }, body: {} });
  await client.call('GET /images/json', 200, { query: { all: '1', digests: '1', 'shared-size': '1' } });
  await client.call('GET /images/json', 200, { query: { manifests: '1' } });
  await client.call('GET /images/{name}/json', 200, { id });
  await client.call('GET /images/{name}/json', 404, { id: 'nosuch' });
  await client.call('GET /images/{name}/history', 200, { id });
  await client.call('GET /images/{name}/history', 404, { id: 'nosuch' });
  await client.call('POST /images/{name}/tag', 201, { id, query: { repo: 'made', tag: '2' } });
  await client.call('POST /images/{name}/tag', 400, { id, query: { repo: 'Bad Name' } });
  await client.call('POST /images/{name}/tag', 404, { id: 'nosuch', query: { repo: 'made' } });
  await client.call('DELETE /images/{name}', 200, { id: 'made:2' });
  await client.call('DELETE /images/{name}', 200, { id });
  await client.call('DELETE /images/{name}', 404, { id: 'nosuch' });
  await client.call('DELETE /images/{name}', 409, { id: 'base:1' });
  await client.call('POST /images/prune', 200);
  await client.call('POST /build/prune', 200, { query: { all: '1' } });
}

async function systemCalls(client: Client): Promise<void> {
  for (const path of ['/_ping', '/version', '/info']) await client.call(`GET ${path}`, 200);
  await client.call('GET /system/df', 200);
  await client.call('GET /system/df', 200, { query: { type: 'image' } });
  const filters = JSON.stringify({ container: ['plain'], event: ['create'] });
  const until = String(Math.floor(Date.now() / 1000));
  await client.call('GET /events', 200, { query: { since: '0', until, filters } });
  await client.call('GET /events', 400, { query: { since: '2', until: '1' } });
}

async function endCalls(client: Client): Promise<void> {
  const id = 'plain';
  await client.call('DELETE /containers/{id}', 409, { id });
  await client.call('POST /containers/{id}/kill', 204, { id, query: { signal: 'SIGWINCH' } });
  const next = await client.begin('POST /containers/{id}/wait', 200, {
    id,
    query: { condition: 'next-exit' },
  });
  await client.call('POST /containers/{id}/restart', 204, { id, query: { t: '0' } });
  assert.partialDeepStrictEqual(await next.ended, { StatusCode: 137 });
  await client.call('POST /containers/{id}/stop', 204, { id, query: { t: '0' } });
  await client.call('POST /containers/{id}/stop', 304, { id });
  await client.call('POST /containers/{id}/kill', 409, { id });
  await client.call('POST /containers/{id}/wait', 200, { id });
  await client.call('POST /containers/{id}/wait', 400, { id, query: { condition: 'never' } });
  await client.call('POST /containers/{id}/exec', 409, { id, body: { Cmd: ['true'] } });
  await client.call('GET /containers/{id}/json', 200, { id });
  await client.call('GET /containers/{id}/stats', 200, { id, query: { stream: '0' } });
  await client.call('POST /containers/prune', 200);
  const removal = { id: 'fuller', query: { condition: 'removed' } };
  const removed = await client.begin('POST /containers/{id}/wait', 200, removal);
  await client.call('DELETE /containers/{id}', 204, { id: 'fuller', query: { force: '1' } });
  assert.partialDeepStrictEqual(await removed.ended, { StatusCode: 137 });
}
