import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { pino } from 'pino';
import type { Engine } from '../engine/index.ts';
import { createApp } from './app.ts';
import { Calls } from './calls.ts';

const fixture = join(import.meta.dirname, '../../test/fixtures/http/routes.txt');

/** What Docker answers with 404 as well, or serves in later versions or on experimental daemons only. */
const notServed = [
  'GET /images/{name}/attestations',
  'POST /session',
  'POST /build/cancel',
  'POST /grpc',
  'GET /containers/{id}/checkpoints',
  'POST /containers/{id}/checkpoints',
  'DELETE /containers/{id}/checkpoints/{checkpoint}',
  'GET /debug/vars',
  'GET /debug/pprof/',
];

test('createApp() serves every route of the Engine API but the named ones', async (t) => {
  // No method is there to call: a route that exists fails, one that does not says so.
  const parts = { containers: {}, images: {}, networks: {}, volumes: {}, builder: {}, system: {} };
  const context = { engine: parts as unknown as Engine, calls: new Calls() };
  const app = createApp(context, pino({ level: 'silent' }));
  t.after(() => app.close());
  const missing: string[] = [];
  for (const route of readFileSync(fixture, 'utf8').trim().split('\n')) {
    const [method = '', path = ''] = route.split(' ');
    const url = path.replace(/\{[^}]+\}/g, 'some');
    const answer = await app.inject({ method: method as 'GET', url: `/v1.50${url}` });
    if (answer.body === '{"message":"page not found"}') missing.push(route);
  }
  assert.deepEqual(missing, notServed);
});

test('createApp() keeps the query out of the log, build arguments may be secret', async (t) => {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const parts = { containers: {}, images: {}, networks: {}, volumes: {}, builder: {}, system: {} };
  const app = createApp({ engine: parts as unknown as Engine, calls: new Calls() }, log);
  t.after(() => app.close());
  await app.inject({ method: 'POST', url: '/v1.50/build?buildargs=%7B%22TOKEN%22%3A%22hush%22%7D' });
  assert.ok(lines.some((line) => line.includes('"path":"/v1.50/build"')));
  assert.doesNotMatch(lines.join(''), /hush/);
});
