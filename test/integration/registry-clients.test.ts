import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import bcrypt from 'bcryptjs';
import { run } from '../../src/lib/run.ts';
import { contentDigestOf } from '../../src/registry/server/content-digest.ts';
import { temporaryDirectory } from '../support/files.ts';
import { descriptorOf, manifestOf, startRegistry } from '../support/registry.ts';

const indexType = 'application/vnd.oci.image.index.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

test('skopeo logs in by token, copies an index there and back without a byte changed, and deletes', async (t) => {
  const directory = temporaryDirectory(t);
  const htpasswd = join(directory, 'htpasswd');
  writeFileSync(htpasswd, `alice:${bcrypt.hashSync('secret', 4)}\n`);
  const rules = [{ repositories: ['**'], users: ['alice'], actions: ['pull', 'push', 'delete'] }];
  const registry = await startRegistry(t, {
    config: { auth: { htpasswd, token: { service: 'registry.test' }, rules } },
  });
  const plain = await startRegistry(t);
  await plain.pushBlob('app', '{}');
  await plain.pushBlob('app', 'layer');
  const manifest = manifestOf(['layer']);
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: indexType,
    manifests: [
      { ...descriptorOf(manifest, manifestType), platform: { architecture: 'amd64', os: 'linux' } },
    ],
  });
  const put = (name: string, type: string, body: string) =>
    plain.fetch(`/v2/app/manifests/${name}`, { method: 'PUT', headers: { 'content-type': type }, body });
  assert.equal((await put('v1', indexType, index)).status, 400, 'its manifest is missing');
  assert.equal((await put(contentDigestOf(manifest), manifestType, manifest)).status, 201);
  assert.equal((await put('v1', indexType, index)).status, 201);

  const skopeo = (...args: string[]) =>
    run('skopeo', args, { env: { PATH: process.env['PATH'] ?? '', HOME: directory } });
  const login = '--dest-creds=alice:secret';
  const tls = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  const there = `docker://${registry.host}/copy/app:v1`;
  await skopeo('copy', '--all', ...tls, login, `docker://${plain.host}/app:v1`, there);
  await skopeo('copy', '--all', ...tls, '--src-creds=alice:secret', there, `docker://${plain.host}/back:v1`);
  const back = await plain.fetch('/v2/back/manifests/v1', { headers: { accept: indexType } });
  assert.equal(await back.text(), index);
  await assert.rejects(
    skopeo('copy', ...tls, there, `dir:${join(directory, 'refused')}`),
    /unauthorized|denied/,
  );
  await skopeo('delete', '--tls-verify=false', '--creds=alice:secret', there);
  const { stdout } = await skopeo(
    'list-tags',
    '--tls-verify=false',
    '--creds=alice:secret',
    there.replace(':v1', ''),
  );
  assert.deepEqual((JSON.parse(stdout) as { Tags: string[] }).Tags, []);
});

test('the protocol: pages, negotiation, ranges, referrers, tags of a push by digest', async (t) => {
  const registry = await startRegistry(t);
  for (const tag of ['c', 'a', 'b', 'B']) await registry.pushImage('x', tag, ['layer']);
  const page = async (query: string) => {
    const response = await registry.fetch(`/v2/x/tags/list${query}`);
    const { tags } = (await response.json()) as { tags?: string[] };
    return [response.status, tags?.join(' '), response.headers.get('link')];
  };
  assert.deepEqual(await page(''), [200, 'B a b c', null]);
  assert.deepEqual(await page('?n=2'), [200, 'B a', '</v2/x/tags/list?n=2&last=a>; rel="next"']);
  assert.deepEqual(await page('?n=2&last=a'), [200, 'b c', null]);
  assert.deepEqual(await page('?n=0'), [200, '', null]);
  assert.deepEqual(await page('?n=x'), [400, undefined, null]);

  const get = (path: string, headers: Record<string, string>) => registry.fetch(path, { headers });
  const manifest = await get('/v2/x/manifests/a', { accept: `text/html, ${manifestType};q=0.5` });
  const digest = manifest.headers.get('docker-content-digest') ?? '';
  assert.deepEqual([manifest.status, manifest.headers.get('content-type')], [200, manifestType]);
  assert.equal((await get('/v2/x/manifests/a', { accept: indexType })).status, 404);
  assert.equal((await get(`/v2/x/manifests/${digest}`, { accept: indexType })).status, 200);
  assert.equal((await get('/v2/x/manifests/a', { 'if-none-match': `"${digest}"` })).status, 304);

  const blob = `/v2/x/blobs/${contentDigestOf('layer')}`;
  for (const [range, status, text, contentRange] of [
    ['bytes=1-2', 206, 'ay', 'bytes 1-2/5'],
    ['bytes=3-', 206, 'er', 'bytes 3-4/5'],
    ['bytes=-2', 206, 'er', 'bytes 3-4/5'],
    ['bytes=0-100', 206, 'layer', 'bytes 0-4/5'],
    ['bytes=0-1,3-4', 200, 'layer', null],
    ['lines=1-2', 200, 'layer', null],
  ] as const) {
    const response = await get(blob, { range });
    const seen = [response.status, await response.text(), response.headers.get('content-range')];
    assert.deepEqual(seen, [status, text, contentRange], range);
  }
  const outside = await get(blob, { range: 'bytes=5-' });
  assert.deepEqual([outside.status, outside.headers.get('content-range')], [416, 'bytes */5']);

  const about = manifestOf([], {
    artifactType: 'application/x.signature',
    subject: descriptorOf(manifestOf(['layer']), manifestType),
    annotations: { by: 'test' },
  });
  const pushed = await registry.fetch(`/v2/x/manifests/${contentDigestOf(about)}?tag=s1&tag=s2`, {
    method: 'PUT',
    headers: { 'content-type': manifestType },
    body: about,
  });
  assert.equal(pushed.headers.get('oci-subject'), digest);
  assert.equal(pushed.headers.get('oci-tag'), 's1, s2');
  const referrers = await get(`/v2/x/referrers/${digest}?artifactType=application/x.signature`, {});
  assert.equal(referrers.headers.get('oci-filters-applied'), 'artifactType');
  assert.deepEqual(((await referrers.json()) as { manifests: unknown }).manifests, [
    {
      ...descriptorOf(about, manifestType),
      artifactType: 'application/x.signature',
      annotations: { by: 'test' },
    },
  ]);
  const none = await get(`/v2/x/referrers/${digest}?artifactType=other`, {});
  assert.deepEqual(((await none.json()) as { manifests: unknown }).manifests, []);

  assert.equal((await registry.fetch(`/v2/x/manifests/${digest}`, { method: 'DELETE' })).status, 202);
  assert.deepEqual(await page(''), [200, 's1 s2', null], 'its tags went with it');
  assert.equal((await registry.fetch('/v2/x/manifests/a', { method: 'POST' })).status, 405);
  assert.equal((await registry.fetch('/v3/')).status, 404);
});
