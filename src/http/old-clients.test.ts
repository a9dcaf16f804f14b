import assert from 'node:assert/strict';
import test from 'node:test';
import { RawClient, serve } from '../../test/support/http-server.ts';
import type { ContainerInspect, MountSpec } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';
import { createRequestOf, withIdAmongAliases } from './old-clients.ts';

/** The answer to a request without a body, or with JSON. */
async function ask(path: string, line: string, body?: object): Promise<string> {
  const client = new RawClient(path);
  const json = body === undefined ? '' : JSON.stringify(body);
  const headers = ['Host: d', 'Connection: close', 'Content-Type: application/json'];
  client.send(`${line} HTTP/1.1`, ...headers, `Content-Length: ${json.length}`, '', json);
  return (await client.answer()).body.toString();
}

test('a prune of the build cache keeps what each version of the API has a name for', async (t) => {
  const kept: number[] = [];
  const { path } = await serve(t, {
    builder: {
      prune: async ({ keepBytes }) => {
        kept.push(keepBytes);
        return { CachesDeleted: [], SpaceReclaimed: 0 };
      },
    },
  });
  for (const [version, query, bytes] of [
    ['47', '', 0],
    ['47', 'keep-storage=3&reserved-space=5&max-used-space=7', 3],
    ['48', 'keep-storage=3&reserved-space=5', 5],
    ['48', 'keep-storage=3&reserved-space=0', 3],
    ['48', 'max-used-space=7', 7],
    ['48', 'max-used-space=7&reserved-space=9', 9],
  ] as const) {
    await ask(path, `POST /v1.${version}/build/prune?${query}`);
    assert.equal(kept.pop(), bytes, query);
  }
  assert.match(await ask(path, 'POST /build/prune?min-free-space=1'), /min-free-space is not supported/);
  assert.deepEqual(kept, []);
});

test('a container is created with what each version of the API says of --rm and of read-only binds', async (t) => {
  const { path } = await serve(t, {
    containers: {
      create: async ({ HostConfig }, { writableBelow }) => ({
        Id: `${HostConfig?.AutoRemove} ${writableBelow}`,
        Warnings: [],
      }),
    },
  });
  for (const [version, told] of [
    ['24', 'false true'],
    ['25', 'true true'],
    ['43', 'true true'],
    ['44', 'true false'],
  ]) {
    const body = { Image: 'base', HostConfig: { AutoRemove: true } };
    const { Id } = JSON.parse(await ask(path, `POST /v1.${version}/containers/create`, body)) as {
      Id: string;
    };
    assert.equal(Id, told, version);
  }
});

test('images are listed by the name that old clients give in a parameter of its own', async (t) => {
  const { path } = await serve(t, {
    images: {
      list: ({ filters }) => {
        throw new EngineError('notFound', `asked for: ${filters.get('reference')?.join() ?? 'all'}`);
      },
    },
  });
  for (const [line, told] of [
    ['GET /v1.40/images/json?filter=app', 'app'],
    ['GET /v1.40/images/json?filter=app&filters={"reference":["base"]}', 'base,app'],
    ['GET /v1.40/images/json', 'all'],
    ['GET /v1.41/images/json?filter=app', 'all'],
  ] as const) {
    assert.match(await ask(path, line), new RegExp(`asked for: ${told}"`), line);
  }
});

test('events before API 1.46 do not tell that an image was made', async (t) => {
  const { path } = await serve(t, {
    system: {
      async *events() {
        for (const Action of ['create', 'tag']) {
          const Actor = { ID: 'sha256:1', Attributes: {} };
          yield { Type: 'image' as const, Action, Actor, scope: 'local' as const, time: 1, timeNano: 1 };
        }
      },
    },
  });
  assert.doesNotMatch(await ask(path, 'GET /v1.45/events'), /"create"[^]*"tag"/);
  assert.match(await ask(path, 'GET /v1.46/events'), /"create"[^]*"tag"/);
});

test('info before API 1.49 has the expected commits', async (t) => {
  const info = { ContainerdCommit: { ID: '' }, RuncCommit: { ID: '1.1.0' }, InitCommit: { ID: '' } };
  const { path } = await serve(t, { system: { info: async () => info } });
  assert.deepEqual(JSON.parse(await ask(path, 'GET /v1.48/info')), {
    ContainerdCommit: { ID: '', Expected: '' },
    RuncCommit: { ID: '1.1.0', Expected: '1.1.0' },
    InitCommit: { ID: '', Expected: '' },
  });
  assert.deepEqual(JSON.parse(await ask(path, 'GET /v1.49/info')), info);
});

test('withIdAmongAliases() adds short id and host name, on user-defined networks only', () => {
  const container = {
    Id: '0123456789abcdef',
    Config: { Hostname: 'box' },
    NetworkSettings: {
      Bridge: '',
      Networks: { bridge: { Aliases: null }, a: { Aliases: null }, b: { Aliases: ['db', 'box'] } },
    },
  } as unknown as ContainerInspect;
  const { Bridge, Networks } = withIdAmongAliases(container).NetworkSettings;
  assert.equal(Bridge, '');
  assert.deepEqual(
    Object.entries(Networks).map(([name, endpoint]) => [name, endpoint.Aliases]),
    [
      ['bridge', null],
      ['a', ['0123456789ab', 'box']],
      ['b', ['db', 'box', '0123456789ab']],
    ],
  );
});

test('createRequestOf() gives a mode of IPC to a container without one before API 1.40', () => {
  for (const request of [{}, { HostConfig: { IpcMode: '' } }])
    assert.equal(createRequestOf(request, 39).HostConfig?.IpcMode, 'shareable');
  const own = { Image: 'x', HostConfig: { IpcMode: 'private' } };
  assert.equal(createRequestOf(own, 39).HostConfig, own.HostConfig);
  assert.deepEqual(createRequestOf({}, 40).HostConfig, undefined);
});

test('createRequestOf() leaves out options of mounts of another type before API 1.42', () => {
  const options = { VolumeOptions: { NoCopy: true }, TmpfsOptions: { SizeBytes: 1 } };
  const mounts = [
    { Type: 'bind', Source: '/s', Target: '/b', ...options },
    { Type: 'volume', Target: '/v', ...options },
    { Type: 'tmpfs', Target: '/t', ...options },
  ] as const;
  const given = { HostConfig: { Mounts: mounts } };
  assert.deepEqual(createRequestOf(given, 41).HostConfig?.Mounts, [
    { Type: 'bind', Source: '/s', Target: '/b' },
    { Type: 'volume', Target: '/v', VolumeOptions: options.VolumeOptions },
    { Type: 'tmpfs', Target: '/t', TmpfsOptions: options.TmpfsOptions },
  ]);
  assert.equal(createRequestOf(given, 42).HostConfig, given.HostConfig);
});

test('createRequestOf() refuses mounts of images before API 1.48', () => {
  const of = (mount: MountSpec) => ({ HostConfig: { Mounts: [mount] } });
  const image = of({ Type: 'image', Source: 'app', Target: '/x' });
  assert.throws(() => createRequestOf(image, 47), {
    code: 'invalidArgument',
    message: 'Mount type "Image" needs API v1.48 or newer',
  });
  assert.equal(createRequestOf(image, 48), image);
  const foreign = of({ Type: 'tmpfs', Target: '/x', ImageOptions: { Subpath: 'x' } });
  assert.deepEqual(createRequestOf(foreign, 47), of({ Type: 'tmpfs', Target: '/x' }));
});

test('createRequestOf() knows no MAC address of an endpoint before API 1.44, only that of the container', () => {
  const of = (a: object) => ({ MacAddress: 'c', NetworkingConfig: { EndpointsConfig: { a, b: {} } } });
  const given = of({ MacAddress: 'm', Aliases: ['x'] });
  assert.deepEqual(createRequestOf(given, 43), of({ Aliases: ['x'] }));
  assert.equal(createRequestOf(given, 44), given);
});
