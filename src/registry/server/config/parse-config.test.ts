import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { temporaryDirectory } from '../../../../test/support/files.ts';
import { parseRegistryConfig } from './parse-config.ts';
import { readRegistryConfig } from './read-config.ts';

test('parseRegistryConfig() fills in what is not said', () => {
  const config = parseRegistryConfig({});
  assert.equal(config.auth, undefined);
  assert.deepEqual(config.gc, { graceMs: 86_400_000, uploadsMs: 604_800_000, retention: [] });
  assert.equal(config.limits.manifestBytes, 4 << 20);
});

test('parseRegistryConfig() reads sizes, times and lists', () => {
  const config = parseRegistryConfig({
    limits: { blob: '1.5GiB', quotas: [{ repositories: ['a/*'], bytes: '10k' }] },
    gc: { every: '90s' },
    retention: [{ repositories: ['**'], keepLast: 3 }],
    cache: [{ prefix: 'hub/', upstream: 'https://registry.example' }],
  });
  assert.equal(config.limits.blobBytes, 1.5 * 2 ** 30);
  assert.equal(config.limits.quotas[0]?.bytes, 10_240);
  assert.equal(config.gc.everyMs, 90_000);
  assert.deepEqual(config.gc.retention[0]?.tags, ['*']);
  assert.equal(config.caches[0]?.prefix, 'hub');
});

const rule = { repositories: ['x'], users: ['a'], actions: ['pull'] };

for (const [document, message] of [
  [{ limit: {} }, /^invalid configuration: limit is unknown; known are tls, auth/],
  [{ limits: { blobs: 1 } }, /limits\.blobs is unknown/],
  [{ limits: { blob: 'ten' } }, /limits\.blob must be a size such as 500M or 20GiB/],
  [{ gc: { every: 10 } }, /gc\.every must be a time such as/],
  [{ tls: { cert: 'x' } }, /tls\.key must be given/],
  [{ auth: {} }, /auth must be given a htpasswd file/],
  [{ auth: { htpasswd: 'f', rules: [{ ...rule, actions: ['write'] }] } }, /actions\[0\] must be one of pull/],
  [
    { auth: { htpasswd: 'f', rules: [{ ...rule, anonymous: true, actions: ['push'] }] } },
    /rules\[0\]\.actions must be only pull where anonymous is true/,
  ],
  [{ auth: { htpasswd: 'f', rules: [{ ...rule, users: [] }] } }, /rules\[0\] must be given users/],
  [{ auth: { token: { service: 's', issuer: 'i' } } }, /auth\.token\.realm must be given/],
  [{ retention: [{ repositories: ['x'] }] }, /retention\[0\] must be given keepLast, olderThan/],
  [{ cache: [{ upstream: 'docker.io' }] }, /cache\[0\]\.upstream must be a URL/],
  [{ cache: [{ upstream: 'https://x', username: 'u' }] }, /given username and password, or neither/],
  [[], /the file must be an object/],
] as const) {
  test(`parseRegistryConfig() refuses ${JSON.stringify(document).slice(0, 80)}`, () => {
    assert.throws(() => parseRegistryConfig(document), { code: 'invalidArgument', message });
  });
}

test('readRegistryConfig() reads JSON and YAML and names the file in errors', async (t) => {
  const directory = temporaryDirectory(t);
  const write = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const yaml = await readRegistryConfig(write('a.yaml', '# comment\ngc:\n  grace: 2h\n'));
  const json = await readRegistryConfig(write('a.json', '{"gc": {"grace": "2h"}}'));
  assert.deepEqual(yaml, json);
  assert.equal(yaml.gc.graceMs, 7_200_000);
  await assert.rejects(readRegistryConfig(write('bad', 'gc: [')), { message: /bad: / });
  await assert.rejects(readRegistryConfig(write('odd', 'gc: {x: 1}')), {
    message: /odd: .*gc\.x is unknown/,
  });
  await assert.rejects(readRegistryConfig(join(directory, 'none')), { message: /none: no such file/ });
});
