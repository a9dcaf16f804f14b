import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { pino } from 'pino';
import { runWithHosts } from '../../test/support/run-with-hosts.ts';
import { exitOf, start } from '../lib/process.ts';
import { bind, parseHost } from './listen.ts';
import { createHttpServer } from './server.ts';

const tls = join(import.meta.dirname, '../../test/fixtures/http/tls');

test('parseHost() reads unix and tcp hosts and refuses all else', () => {
  assert.deepEqual(parseHost('unix:///run/x.sock', false), { kind: 'unix', path: '/run/x.sock' });
  assert.deepEqual(parseHost('tcp://127.0.0.1:99', false), { kind: 'tcp', host: '127.0.0.1', port: 99 });
  assert.deepEqual(parseHost('tcp://[::1]', true), { kind: 'tcp', host: '::1', port: 2376 });
  assert.deepEqual(parseHost('tcp://', false), { kind: 'tcp', host: 'localhost', port: 2375 });
  assert.deepEqual(parseHost('tcp://:99', false), { kind: 'tcp', host: 'localhost', port: 99 });
  assert.deepEqual(parseHost('tcp://0.0.0.0:99', false), { kind: 'tcp', host: '0.0.0.0', port: 99 });
  for (const bad of [
    '/run/x.sock',
    'unix://x',
    'tcp://:x',
    'tcp://a:1/b',
    'fd://',
    `unix:///${'x'.repeat(107)}`,
  ]) {
    assert.throws(() => parseHost(bad, false), { code: 'invalidArgument' }, bad);
  }
});

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-listen-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('bind() replaces the socket of a killed daemon, never another file', async (t) => {
  const directory = await temporary(t);
  const path = join(directory, 'sub/engine.sock');
  const script = `require('fs').mkdirSync(${JSON.stringify(join(directory, 'sub'))});
    require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await exitOf('node', start(process.execPath, ['-e', script], { stdio: 'ignore' }));
  assert.ok((await stat(path)).isSocket());
  const server = createServer();
  t.after(() => server.close());
  assert.equal(await bind(server, { kind: 'unix', path }), `unix://${path}`);

  const file = join(directory, 'file');
  await writeFile(file, 'precious');
  await assert.rejects(bind(createServer(), { kind: 'unix', path: file }), { code: 'conflict' });
  assert.equal(await readFile(file, 'utf8'), 'precious');
});

test('bind() listens on the IPv4 address of a name that has both', async () => {
  const listen = join(import.meta.dirname, 'listen.ts');
  const script = `
    import { createServer } from 'node:http';
    import { bind, parseHost } from ${JSON.stringify(listen)};
    const server = createServer();
    const host = await bind(server, parseHost('tcp://localhost:0', false));
    console.log(new URL(host).hostname, server.address().address);
    server.close();`;
  const printed = await runWithHosts(['::1 localhost', '127.0.0.1 localhost'], script);
  assert.equal(printed, 'localhost 127.0.0.1\n');
});

test('server lets only verified clients in over TLS', async (t) => {
  const parts = { containers: {}, images: {}, networks: {}, volumes: {}, builder: {}, system: {} };
  const server = createHttpServer({ engine: parts as never, logger: pino({ level: 'silent' }) });
  t.after(() => server.close());
  const files = {
    ca: join(tls, 'ca.pem'),
    cert: join(tls, 'server.pem'),
    key: join(tls, 'server-key.pem'),
    verify: true,
  };
  const host = await server.listen('tcp://127.0.0.1:0', files);
  const ca = await readFile(files.ca);
  const [cert, key] = [await readFile(join(tls, 'client.pem')), await readFile(join(tls, 'client-key.pem'))];
  const ping = async (credentials: object) => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const { hostname, port } = new URL(host);
    const options = { hostname, port, path: '/_ping', ca, agent: false, ...credentials };
    request(options, (response) => {
      response.resume().on('end', () => {
        resolve(response.statusCode);
      });
    })
      .on('error', reject)
      .end();
    return promise;
  };
  assert.equal(await ping({ cert, key }), 200);
  await assert.rejects(ping({}));
});
