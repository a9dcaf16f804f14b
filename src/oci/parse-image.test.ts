import assert from 'node:assert/strict';
import test from 'node:test';
import { chainIdsOf, digestOf, isDigest, parseImageConfig, parseIndex, parseManifest } from './index.ts';

const digest = digestOf('x');
const descriptor = { mediaType: 'application/octet-stream', digest, size: 1 };

test('isDigest() rejects upper-case hex', () => {
  assert.ok(isDigest(digest));
  assert.ok(!isDigest(digest.toUpperCase()));
  assert.ok(!isDigest(`sha256:${'A'.repeat(64)}`));
});

test('chainIdsOf() starts with the diffID and hashes pairs after it', () => {
  const other = digestOf('y');
  assert.deepEqual(chainIdsOf([digest, other]), [digest, digestOf(`${digest} ${other}`)]);
});

test('parseManifest() keeps what it knows and names what is wrong', () => {
  const manifest = parseManifest(
    JSON.stringify({ schemaVersion: 2, config: descriptor, layers: [descriptor] }),
  );
  assert.equal(manifest.layers[0]?.digest, digest);
  const bad = (document: object, message: RegExp) => {
    assert.throws(() => parseManifest(JSON.stringify(document)), { code: 'invalidArgument', message });
  };
  bad({ schemaVersion: 1 }, /schemaVersion must be 2/);
  bad({ schemaVersion: 2, layers: [] }, /manifest\.config/);
  bad({ schemaVersion: 2, config: { ...descriptor, digest: '../x' } }, /config\.digest/);
  bad({ schemaVersion: 2, config: { ...descriptor, size: -1 } }, /config\.size/);
  bad({ schemaVersion: 2, config: descriptor, manifests: [] }, /fields of an index/);
  bad({ schemaVersion: 2, manifests: [] }, /it is an index/);
  assert.throws(() => parseManifest('{'), { message: 'invalid manifest: not JSON' });
  assert.throws(() => parseManifest('[]'), { code: 'invalidArgument' });
});

test('parseIndex() reads manifests', () => {
  const index = parseIndex(JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  assert.equal(index.manifests.length, 1);
});

test('parseImageConfig() leaves out nulls and checks history against layers', () => {
  const config = parseImageConfig(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Env: null, Cmd: ['a'], Entrypoint: null, Labels: null },
      rootfs: { type: 'layers', diff_ids: [digest] },
      history: [{ created_by: 'x' }, { created_by: 'y', empty_layer: true }],
    }),
  );
  assert.deepEqual(config.config, { Cmd: ['a'] });
  const bad = (document: object, message: RegExp) => {
    assert.throws(() => parseImageConfig(JSON.stringify(document)), { code: 'invalidArgument', message });
  };
  bad({ rootfs: { diff_ids: [] }, history: [{}] }, /too many non-empty layers in History section/);
  bad({ rootfs: { diff_ids: ['sha256:1'] } }, /diff_ids/);
  bad({}, /rootfs/);
  bad({ rootfs: {}, config: { Cmd: 'sh' } }, /config\.Cmd/);
  bad({ rootfs: {}, config: { Cmd: [1] } }, /config\.Cmd\[0\]/);
});

test('parseImageConfig() takes names in any case, as Go does', () => {
  const lower = {
    created: '1980-01-01T00:00:01Z',
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['A=b'], Healthcheck: { Test: ['NONE'] } },
    rootfs: { type: 'layers', diff_ids: [digest] },
    history: [{ created_by: 'x' }],
  };
  const written = {
    Config: { env: ['A=b'], healthCheck: { test: ['NONE'] } },
    Created: lower.created,
    History: [{ Created_By: 'x' }],
    Os: 'linux',
    Architecture: 'amd64',
    Variant: null,
    RootFS: { Diff_Ids: [digest] },
  };
  assert.deepEqual(parseImageConfig(JSON.stringify(written)), lower);
  const both = { ...lower, OS: 'windows', Config: { Env: [] }, RootFS: {} };
  assert.deepEqual(parseImageConfig(JSON.stringify(both)), lower);
});
