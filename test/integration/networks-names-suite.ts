import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import test, { type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { Connection } from '../../src/network/index.ts';
import { connectRequest } from '../conformance/networks.ts';
import { outside, recovered, sh } from '../support/networks-host.ts';

// How containers find each other, and others, by name. Runs in a network namespace of its own: see
// src/network/create-networks.test.ts.

/** A name server in a namespace that answers each query with one A record; or, with `code`, with that failure. */
async function serveNames(t: TestContext, where: { namespace: string; address: string }, code = 0) {
  const program = `const s = require('dgram').createSocket('udp4');
    s.on('message', (query, from) => {
      const end = query.indexOf(0, 12) + 5;
      const reply = Buffer.concat([query.subarray(0, end), Buffer.from('c00c00010001000000050004cb007107', 'hex')]);
      reply.writeUInt16BE(0x8180 | ${code}, 2);
      reply.writeUInt16BE(1, 6);
      reply.writeUInt16BE(0, 10);
      s.send(reply, from.port, from.address);
    }).bind(53, '${where.address}', () => console.log('ready'))`;
  const child = spawn('ip', ['netns', 'exec', where.namespace, process.execPath, '-e', program]);
  t.after(() => child.kill('SIGKILL'));
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
}

/** What a name is, or the error, as a program in a container's namespace finds out; 127.0.0.11 is its server. */
async function lookUp(connection: Connection, name: string, method = 'resolve4'): Promise<string> {
  const program = `const { Resolver } = require('dns').promises; const r = new Resolver({ timeout: 6000, tries: 3 });
    r.setServers(['127.0.0.11']);
    r.${method}('${name}').then((a) => console.log(String(a)), (e) => console.log(e.code))`;
  const args = ['netns', 'exec', basename(connection.namespacePath), process.execPath, '-e', program];
  // This process is the one that answers: it must not block.
  const { stdout } = await promisify(execFile)('ip', args);
  return stdout.trim();
}

test('containers of a user-defined network find each other by name, also after the engine came back', async (t) => {
  const { networks, again } = await recovered(t);
  const web = await networks.create({ Name: 'web' });
  await networks.create({ Name: 'inside', Internal: true });
  const endpoints = { web: { Aliases: ['alias-a'] }, inside: {} };
  const a = await networks.connect(
    connectRequest('a', { networkMode: 'web', endpoints, hostname: 'host-a' }),
  );
  const b = await networks.connect(
    connectRequest('b', { networkMode: web.Id, endpoints: { web: { Links: ['name-a:linked'] } } }),
  );
  const c = await networks.connect(connectRequest('c', { networkMode: 'inside' }));
  const d = await networks.connect(connectRequest('d'));
  assert.deepEqual(
    [a, b, c, d].map(({ resolver }) => resolver !== undefined),
    [true, true, true, false],
  );
  const address = a.endpoints['web']?.IPAddress;
  const names = ['name-a', 'alias-a', 'a'.repeat(12), 'host-a', 'name-a.web', 'linked'];
  const lookUps = async () => {
    for (const name of names) assert.equal(await lookUp(b, name), address, name);
    assert.equal(await lookUp(c, 'name-a'), a.endpoints['inside']?.IPAddress);
    assert.equal(await lookUp(a, address ?? '', 'reverse'), 'name-a.web');
    assert.equal(await lookUp(b, 'name-a', 'resolve6'), 'ENODATA');
  };
  await lookUps();
  await networks.shutdown({ keep: true });
  const later = again();
  await later.recover(
    [a, b, c].map((connection, index) => {
      const letter = 'abc'[index] ?? '';
      return { containerId: letter.repeat(64), containerName: `name-${letter}`, connection };
    }),
  );
  await lookUps();
  await later.release('a'.repeat(64), a);
  assert.notEqual(await lookUp(b, 'name-a'), address);
});

test('other names are asked of the servers outside, of which one may be dead and one useless', async (t) => {
  const { networks } = await recovered(t);
  await networks.create({ Name: 'web' });
  await networks.create({ Name: 'inside', Internal: true });
  const useless = { namespace: outside.namespace, address: '203.0.113.52' };
  const good = { namespace: outside.namespace, address: '203.0.113.53' };
  for (const { address } of [useless, good]) sh(`ip -n outside addr add ${address}/32 dev eth0`);
  t.after(() => {
    for (const { address } of [useless, good]) sh(`ip -n outside addr del ${address}/32 dev eth0`);
  });
  await serveNames(t, useless, 2);
  await serveNames(t, good);
  const dead = '203.0.113.99';
  const dns = [dead, useless.address, good.address];
  const a = await networks.connect(connectRequest('a', { networkMode: 'web', dns }));
  const b = await networks.connect(connectRequest('b', { networkMode: 'inside', dns }));
  const c = await networks.connect(connectRequest('c', { networkMode: 'web', dns: [useless.address] }));
  assert.equal(await lookUp(a, 'example.com'), '203.0.113.7');
  assert.equal(await lookUp(b, 'example.com'), 'ESERVFAIL');
  assert.equal(await lookUp(c, 'example.com'), 'ESERVFAIL');
});

test("servers of --dns are asked from the container's own network, also where no way leads out", async (t) => {
  const { networks } = await recovered(t);
  await networks.create({ Name: 'inside', Internal: true });
  const a = await networks.connect(connectRequest('a', { networkMode: 'inside' }));
  const address = a.endpoints['inside']?.IPAddress ?? '';
  const b = await networks.connect(connectRequest('b', { networkMode: 'inside', dns: [address] }));
  const c = await networks.connect(connectRequest('c', { networkMode: 'inside', dns: ['127.0.0.1'] }));
  await serveNames(t, { namespace: basename(a.namespacePath), address });
  await serveNames(t, { namespace: basename(c.namespacePath), address: '127.0.0.1' });
  for (const asking of [b, c]) assert.equal(await lookUp(asking, 'example.com'), '203.0.113.7');
});

test('a container that asks more than its servers answer leaves other containers their names', async (t) => {
  const { networks } = await recovered(t);
  await networks.create({ Name: 'web' });
  await serveNames(t, outside);
  const a = await networks.connect(connectRequest('a', { networkMode: 'web', dns: ['203.0.113.99'] }));
  const b = await networks.connect(connectRequest('b', { networkMode: 'web', dns: [outside.address] }));
  const flood = `const s = require('dgram').createSocket('udp4');
    const query = Buffer.from('000101000001000000000000016101620000010001', 'hex');
    let left = 600;
    const next = () => (left-- > 0 ? s.send(query, 53, '127.0.0.11', next) : s.close());
    next()`;
  await promisify(execFile)('ip', [
    ...['netns', 'exec', basename(a.namespacePath), process.execPath, '-e', flood],
  ]);
  assert.equal(await lookUp(b, 'example.com'), '203.0.113.7');
});
