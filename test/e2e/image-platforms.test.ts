import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { startDaemon } from '../support/daemon.ts';
import { callEngine } from '../support/engine-call.ts';
import { temporaryDirectory } from '../support/files.ts';
import { tarOf } from '../support/image-store.ts';

// Clients that ask for the image of one platform, each route from the version of the API on that knows the question.

const engine = await startDaemon({ after }, { base: false });
const files = temporaryDirectory({ after });
engine.ok(['import', '--platform', 'linux/arm64', '-', 'arm:1'], { input: tarOf({ 'etc/arm': '' }) });

const platform = (architecture: string) => encodeURIComponent(JSON.stringify({ os: 'linux', architecture }));
const message = (name: string) =>
  `image with reference ${name} was found but its platform (linux/arm64) does not match the specified platform (linux/amd64)`;

async function call(api: string, method: string, path: string): Promise<[number, string | undefined]> {
  const { status, body } = await callEngine(engine.host, { method, path, api });
  return [status, status < 400 ? undefined : (JSON.parse(body) as { message: string }).message];
}

test('inspect, history, push and delete refuse an image of another platform than they are asked for', async () => {
  const routes = [
    { line: 'GET /images/arm:1/json?platform=', since: 49, name: 'arm:1' },
    { line: 'GET /images/arm:1/history?platform=', since: 48, name: 'arm:1' },
    { line: 'POST /images/arm/push?tag=1&platform=', since: 46, name: 'arm:1' },
    { line: 'DELETE /images/arm:1?platforms=', since: 50, name: 'arm:1' },
  ];
  for (const { line, since, name } of routes) {
    const [method = '', path = ''] = line.split(' ');
    const asked = `${path}${platform('amd64')}`;
    assert.deepEqual(await call(`1.${since}`, method, asked), [404, message(name)], line);
    if (method !== 'GET') continue;
    assert.deepEqual(await call(`1.${since - 1}`, method, asked), [200, undefined], line);
    assert.deepEqual(await call(`1.${since}`, method, `${path}${platform('arm64')}`), [200, undefined], line);
  }
  const both = `/images/arm:1?platforms=${platform('amd64')}&platforms=${platform('arm64')}`;
  assert.deepEqual(await call('1.50', 'DELETE', both), [400, 'multiple platforms are not supported']);
  const own = `/images/arm:1?platforms=${platform('arm64')}`;
  assert.deepEqual(await call('1.50', 'DELETE', own), [200, undefined]);
});

test('a load tells of its layers only when it is told not to be quiet', async () => {
  const archive = join(files, 'archive.tar');
  engine.ok(['import', '-', 'loud:1'], { input: tarOf({ 'etc/loud': 'x' }) });
  engine.ok(['save', '-o', archive, 'loud:1']);
  const load = async (query: string) => {
    engine.ok(['rmi', 'loud:1']);
    const body = readFileSync(archive);
    return (await callEngine(engine.host, { method: 'POST', path: `/images/load${query}`, body })).body;
  };
  for (const query of ['', '?quiet=1']) {
    assert.equal(await load(query), '{"stream":"Loaded image: loud:1\\n"}\r\n', query);
  }
  assert.match(await load('?quiet=0'), /"status":"Loading layer"[^]*Loaded image: loud:1/);
});
