import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { connect } from 'node:tls';
import bcrypt from 'bcryptjs';
import { SignJWT } from 'jose';
import { run } from '../../src/lib/run.ts';
import { contentDigestOf } from '../../src/registry/server/content-digest.ts';
import { temporaryDirectory } from '../support/files.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const rules = [
  { repositories: ['team/**'], users: ['alice'], actions: ['pull', 'push', 'delete'] },
  { repositories: ['team/**', '!team/secret'], users: ['*'], actions: ['pull'] },
  { repositories: ['public'], anonymous: true, actions: ['pull'] },
  { repositories: ['public'], users: ['alice'], actions: ['push'] },
];

function usersFile(t: TestContext): string {
  const path = join(temporaryDirectory(t), 'htpasswd');
  writeFileSync(path, ['alice', 'bob'].map((user) => `${user}:${bcrypt.hashSync(user, 4)}\n`).join(''));
  return path;
}

function basic(user: string, password = user): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

async function status(
  registry: TestRegistry,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<number> {
  const response = await registry.fetch(path, { headers, method });
  await response.text();
  return response.status;
}

test('with users, what no rule allows is refused', async (t) => {
  const registry = await startRegistry(t, { config: { auth: { htpasswd: usersFile(t), rules } } });
  const ping = await registry.fetch('/v2/');
  assert.deepEqual(
    [ping.status, ping.headers.get('www-authenticate')],
    [401, 'Basic realm="gantry registry"'],
  );
  assert.equal(await status(registry, '/v2/', basic('alice', 'wrong')), 401);
  assert.equal(await status(registry, '/v2/', basic('nobody')), 401);
  assert.equal(await status(registry, '/v2/', { authorization: 'Negotiate abc' }), 401);
  assert.equal(await status(registry, '/v2/', basic('bob')), 200);

  await registry.pushImage('team/app', 'v1', ['layer'], basic('alice'));
  await registry.pushImage('team/secret', 'v1', ['hidden'], basic('alice'));
  await registry.pushImage('public', 'v1', ['open'], basic('alice'));
  assert.equal(await status(registry, '/v2/public/manifests/v1'), 200);
  assert.equal(await status(registry, '/v2/public/blobs/uploads/', basic('bob'), 'POST'), 403);
  assert.equal(await status(registry, '/v2/public/blobs/uploads/', {}, 'POST'), 401);
  assert.equal(await status(registry, '/v2/team/app/manifests/v1'), 401);
  assert.equal(await status(registry, '/v2/team/app/manifests/v1', basic('bob')), 200);
  assert.equal(await status(registry, '/v2/team/secret/manifests/v1', basic('bob')), 403);
  assert.equal(await status(registry, '/v2/team/app/manifests/v1', basic('bob'), 'DELETE'), 403);
  assert.equal(await status(registry, '/v2/team/app/blobs/uploads/', basic('bob'), 'POST'), 403);
  assert.equal(await status(registry, '/v2/other/tags/list', basic('alice')), 403);
  assert.equal(await status(registry, '/metrics'), 404);
  assert.equal(await status(registry, '/healthz'), 200);

  const catalog = await registry.fetch('/v2/_catalog', { headers: basic('bob') });
  assert.deepEqual(await catalog.json(), { repositories: ['public', 'team/app'] });
  assert.equal(await status(registry, '/v2/team/app/manifests/v1', basic('alice'), 'DELETE'), 202);
});

test('a mount takes the right to pull from its source', async (t) => {
  const mayPush = [{ repositories: ['bob'], users: ['bob'], actions: ['pull', 'push'] }];
  const registry = await startRegistry(t, {
    config: { auth: { htpasswd: usersFile(t), rules: [...rules, ...mayPush] } },
  });
  for (const [name, expected] of [
    ['team/secret', 202],
    ['team/app', 201],
  ] as const) {
    const digest = await registry.pushBlob(name, `of ${name}`, basic('alice'));
    const path = `/v2/bob/blobs/uploads/?mount=${digest}&from=${name}`;
    assert.equal(await status(registry, path, basic('bob'), 'POST'), expected);
  }
});

test('the registry issues tokens that cover what rules allow', async (t) => {
  const token = { service: 'registry.test', lifetime: '60s' };
  const registry = await startRegistry(t, { config: { auth: { htpasswd: usersFile(t), token, rules } } });
  const ping = await registry.fetch('/v2/team/app/manifests/v1');
  assert.equal(
    ping.headers.get('www-authenticate'),
    `Bearer realm="${registry.url}/token",service="registry.test",scope="repository:team/app:pull"`,
  );
  const scopes = 'scope=repository:team/app:pull,push&scope=repository:public:pull,delete';
  const ask = async (query: string, init: RequestInit = {}) => {
    const response = await registry.fetch(`/token?${query}`, init);
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  };
  const alice = await ask(`service=registry.test&offline_token=true&${scopes}`, { headers: basic('alice') });
  const bearer = (value = '') => ({ authorization: `Bearer ${value}` });
  await registry.pushImage('team/app', 'v1', ['layer'], bearer(alice.body['token']));
  assert.equal(await status(registry, '/v2/', bearer(alice.body['token'])), 200);
  const denied = await registry.fetch('/v2/team/app/manifests/v1', {
    method: 'DELETE',
    headers: bearer(alice.body['token']),
  });
  assert.equal(denied.status, 401);
  assert.match(denied.headers.get('www-authenticate') ?? '', /:delete",error="insufficient_scope"$/);
  const bob = await ask(scopes, { headers: basic('bob') });
  assert.equal(await status(registry, '/v2/team/app/manifests/v1', bearer(bob.body['token'])), 200);
  assert.equal(await status(registry, '/v2/team/app/blobs/uploads/', bearer(bob.body['token']), 'POST'), 401);
  const nobody = await ask(scopes);
  assert.equal(await status(registry, '/v2/team/app/manifests/v1', bearer(nobody.body['token'])), 401);
  assert.equal(await status(registry, '/v2/public/tags/list', bearer(nobody.body['token'])), 404);
  assert.equal((await ask(scopes, { headers: basic('bob', 'x') })).status, 401);
  assert.equal((await ask('service=other')).status, 400);

  const refresh = new URLSearchParams({
    grant_type: 'refresh_token',
    service: 'registry.test',
    scope: 'repository:team/app:pull',
    refresh_token: alice.body['refresh_token'] ?? '',
  });
  const again = await ask('', { method: 'POST', body: refresh });
  assert.equal(await status(registry, '/v2/team/app/manifests/v1', bearer(again.body['access_token'])), 200);
  // An access token is no refresh token, nor the other way round.
  refresh.set('refresh_token', alice.body['token'] ?? '');
  assert.equal((await ask('', { method: 'POST', body: refresh })).status, 401);
  assert.equal(await status(registry, '/v2/', bearer(alice.body['refresh_token'])), 401);
  const other = await startRegistry(t, {
    root: registry.root,
    config: { auth: { htpasswd: usersFile(t), token, rules } },
  });
  assert.equal(await status(other, '/v2/', bearer(alice.body['token'])), 200, 'processes share the key');
});

test('tokens of an outside issuer are taken by their signature, issuer, audience and time', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keyPath = join(temporaryDirectory(t), 'key.pem');
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  writeFileSync(keyPath, pem);
  const token = { service: 's', issuer: 'i', realm: 'https://auth.test/token', keys: [keyPath] };
  const registry = await startRegistry(t, { config: { auth: { token } } });
  const sign = (claims: object, issuer = 'i', audience = 's', key = privateKey, expires = '1m') =>
    new SignJWT({ access: [{ type: 'repository', name: 'x', actions: ['pull', 'push'] }], ...claims })
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject('carol')
      .setExpirationTime(expires)
      .sign(key);
  const bearer = async (value: Promise<string>) => ({ authorization: `Bearer ${await value}` });
  await registry.pushImage('x', 'v1', ['layer'], await bearer(sign({})));
  assert.match(
    (await registry.fetch('/v2/')).headers.get('www-authenticate') ?? '',
    /^Bearer realm="https:\/\/auth\.test\/token",service="s"$/,
  );
  const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const shared = new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setIssuer('i').setAudience('s');
  for (const bad of [
    sign({}, 'other'),
    sign({}, 'i', 'other'),
    sign({}, 'i', 's', foreign),
    sign({}, 'i', 's', privateKey, '-2m'),
    shared.setExpirationTime('1m').sign(Buffer.from(pem)),
    Promise.resolve('eyJhbGciOiJub25lIn0.e30.'),
  ]) {
    assert.equal(await status(registry, '/v2/x/manifests/v1', await bearer(bad)), 401);
  }
  assert.equal(await status(registry, '/v2/x/manifests/v1', await bearer(sign({ access: 'all' }))), 401);
});

test('SIGHUP has a registry read its certificate again, and a bad one changes nothing', async (t) => {
  const directory = temporaryDirectory(t);
  const file = (name: string) => join(directory, name);
  const make = async (name: string) => {
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      file('key.pem'),
    ];
    await run('openssl', ['req', '-x509', ...key, '-out', file('cert.pem'), '-subj', `/CN=${name}`]);
  };
  await make('first');
  const config = { tls: { cert: file('cert.pem'), key: file('key.pem') } };
  const registry = await startRegistry(t, { scheme: 'https', config });
  const shown = async () => {
    const [host, port] = registry.host.split(':');
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return subject.CN;
  };
  const reload = async (said: string) => {
    process.kill(registry.pid, 'SIGHUP');
    await until(() => registry.log().some(({ msg }) => msg === said), `it does not say: ${said}`, 120);
  };
  assert.equal(await shown(), 'first');
  writeFileSync(file('cert.pem'), 'nonsense');
  await reload('cannot read the certificate again; the one before stays');
  assert.equal(await shown(), 'first');
  await make('second');
  await reload('the certificate was read again');
  assert.equal(await shown(), 'second');
});

test('TLS, a quota, and a changed users file', async (t) => {
  const tls = join(import.meta.dirname, '../fixtures/http/tls');
  const htpasswd = usersFile(t);
  const registry = await startRegistry(t, {
    scheme: 'https',
    config: {
      tls: { cert: join(tls, 'server.pem'), key: join(tls, 'server-key.pem') },
      auth: { htpasswd, rules },
      limits: { quotas: [{ repositories: ['team/*'], bytes: 10 }] },
    },
  });
  const ca = readFileSync(join(tls, 'ca.pem'));
  const send = async (method: string, path: string, headers: Record<string, string>, body = '') => {
    const sent = request(new URL(path, registry.url), { method, headers, ca });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return `${response.statusCode} ${await text(response)}`;
  };
  const post = (body: string) =>
    send('POST', `/v2/team/x/blobs/uploads/?digest=${contentDigestOf(body)}`, basic('alice'), body);
  assert.match(await post('ten bytes.'), /^201/);
  assert.match(await post('ten bytes.'), /^201/);
  assert.match(await post('more'), /^403 .*DENIED.*quota of repository team\/x exceeded/);
  writeFileSync(htpasswd, `alice:${bcrypt.hashSync('new', 4)}\n`);
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  assert.match(await send('GET', '/v2/', basic('alice')), /^401/);
  assert.match(await send('GET', '/v2/', basic('alice', 'new')), /^200/);
});
