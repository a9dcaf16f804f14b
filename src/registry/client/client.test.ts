import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import type { TLSSocket } from 'node:tls';
import { temporaryDirectory } from '../../../test/support/files.ts';
import { noProxies } from '../../../test/support/no-proxies.ts';
import { run } from '../../lib/run.ts';
import { readHostTls } from './certificates.ts';
import { parseChallenges } from './challenge.ts';
import { Connections } from './connections.ts';
import { endpointsOf, isInsecure, mirrorsOf } from './endpoints.ts';
import { Http } from './http.ts';
import { splitSearchTerm } from './search.ts';

test('parseChallenges() reads several schemes, quotes and what makes no sense', () => {
  const header =
    'Bearer realm="https://a/token",service="x, \\"y\\"" , scope=repository:a:pull,Basic realm=b';
  assert.deepEqual(parseChallenges(header), [
    {
      scheme: 'bearer',
      parameters: { realm: 'https://a/token', service: 'x, "y"', scope: 'repository:a:pull' },
    },
    { scheme: 'basic', parameters: { realm: 'b' } },
  ]);
  assert.deepEqual(parseChallenges(''), []);
  assert.deepEqual(parseChallenges('"'), []);
});

test('isInsecure() is loopback, and what the configuration names', () => {
  const settings = { insecureRegistries: ['reg.local:5000', '10.1.0.0/16', 'fd00::/8'], registryMirrors: [] };
  const insecure = [
    '127.0.0.1:5000',
    '127.9.9.9',
    'localhost',
    'localhost:1',
    '[::1]:5000',
    'reg.local:5000',
    '10.1.2.3:5000',
    '[fd00::1]:5000',
  ];
  for (const host of insecure) assert.ok(isInsecure(host, settings), host);
  for (const host of ['reg.local', '10.2.0.1', 'example.com', '128.0.0.1', '[fe80::1]:5000'])
    assert.ok(!isInsecure(host, settings), host);
});

test('mirrorsOf() gives what pulls from Docker Hub, and no others, ask first', () => {
  const settings = { insecureRegistries: [], registryMirrors: ['http://mirror:5000/'] };
  assert.deepEqual(mirrorsOf('docker.io', 'pull', settings), ['http://mirror:5000']);
  assert.deepEqual(mirrorsOf('docker.io', 'push', settings), []);
  assert.deepEqual(mirrorsOf('example.com', 'pull', settings), []);
});

test('endpointsOf() tells which hosts may be spoken to in the clear, by name or by what that resolves to', async () => {
  const addresses: Readonly<Record<string, readonly string[]>> = {
    'dev.test': ['192.0.2.1', '127.0.1.1'],
    'six.test': ['::1'],
    'lan.test': ['10.1.9.9'],
    'wan.test': ['10.2.0.1', 'fe80::1'],
  };
  const settings = {
    insecureRegistries: ['10.1.0.0/16'],
    registryMirrors: [],
    lookup: async (name: string) => addresses[name] ?? Promise.reject(new Error(`no such host: ${name}`)),
  };
  const bases = async (domain: string) => (await endpointsOf(domain, settings)).map(({ base }) => base);
  for (const host of ['127.0.0.1:5', 'dev.test:5', 'six.test', 'lan.test:5000']) {
    assert.deepEqual(await bases(host), [`https://${host}`, `http://${host}`]);
  }
  for (const host of ['wan.test', 'none.test', '10.2.0.1']) {
    assert.deepEqual(await bases(host), [`https://${host}`]);
  }
  const hub = { ...settings, lookup: async () => ['127.0.0.1'] };
  assert.deepEqual(await endpointsOf('docker.io', hub), [
    { base: 'https://registry-1.docker.io', insecure: false },
  ]);
});

test('splitSearchTerm() tells the index from the term', () => {
  assert.deepEqual(splitSearchTerm('nginx'), { host: 'index.docker.io', term: 'nginx' });
  assert.deepEqual(splitSearchTerm('team/nginx'), { host: 'index.docker.io', term: 'team/nginx' });
  assert.deepEqual(splitSearchTerm('docker.io/library/nginx'), { host: 'index.docker.io', term: 'nginx' });
  assert.deepEqual(splitSearchTerm('localhost:5000/a/b'), { host: 'localhost:5000', term: 'a/b' });
});

test('a registry is looked for once, and whoever leaves spoils it for nobody', async (t) => {
  let pings = 0;
  const server = createHttpServer((_request, response) => {
    pings += 1;
    setTimeout(() => response.end(), 300);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await using http = new Http({
    tlsOf: () => assert.fail('no TLS here'),
    proxies: noProxies,
    userAgent: 'test',
    stallMs: 10_000,
  });
  const connections = new Connections(http);
  const endpoints = [{ base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, insecure: true }];
  const leaving = new AbortController();
  const left = assert.rejects(connections.first(endpoints, leaving.signal), { message: 'left' });
  const staying = connections.first(endpoints);
  leaving.abort(new Error('left'));
  await left;
  assert.equal((await staying).response.status, 200);
  assert.equal(pings, 1);
});

test('what changes something may take longer to answer than a connection may stand still', async (t) => {
  const server = createHttpServer((request, response) => {
    request.resume();
    setTimeout(() => response.end(request.method), 2_500);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await using http = new Http({
    tlsOf: () => assert.fail('no TLS here'),
    proxies: noProxies,
    userAgent: 'test',
    stallMs: 500,
  });
  const changing = (['POST', 'PUT', 'DELETE'] as const).map(async (method) => {
    const { body } = await http.send({ method, url });
    assert.equal(String(await body.toArray()), method);
  });
  const asking = (['GET', 'HEAD'] as const).map((method) =>
    assert.rejects(http.send({ method, url }), { message: /timeout awaiting the response/ }),
  );
  await Promise.all([...changing, ...asking]);
});

test('a host’s directory says which certificates are trusted and shown', async (t) => {
  const files = temporaryDirectory(t);
  const [certificate, key] = [join(files, 'tls.crt'), join(files, 'tls.key')];
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
  ]);
  const [cert, secret] = [readFileSync(certificate), readFileSync(key)];
  const options = { cert, key: secret, ca: cert, requestCert: true, rejectUnauthorized: false };
  const server = createServer(options, (request, response) => {
    response.end((request.socket as TLSSocket).authorized ? 'known' : 'unknown');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask = async () => {
    await using http = new Http({
      tlsOf: (one) => readHostTls([join(files, 'absent'), join(files, 'certs.d')], one),
      proxies: noProxies,
      userAgent: 'test',
      stallMs: 10_000,
    });
    const { body } = await http.send({ method: 'GET', url: new URL(`https://${host}/`) });
    return String(await body.toArray());
  };
  await assert.rejects(ask(), { message: /certificate signed by unknown authority/ });
  const directory = join(files, 'certs.d', host);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'ca.crt'), cert);
  assert.equal(await ask(), 'unknown');
  writeFileSync(join(directory, 'client.cert'), cert);
  await assert.rejects(ask(), { message: /missing key client\.key for client certificate client\.cert/ });
  writeFileSync(join(directory, 'client.key'), secret);
  assert.equal(await ask(), 'known');
});
