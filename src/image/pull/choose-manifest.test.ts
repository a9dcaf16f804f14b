import assert from 'node:assert/strict';
import test from 'node:test';
import { digestOf, parsePlatform, platformString } from '../../oci/index.ts';
import { chooseManifest } from './choose-manifest.ts';

const index = (...platforms: (string | undefined)[]) => ({
  schemaVersion: 2 as const,
  manifests: platforms.map((text, position) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf(String(position)),
    size: 1,
    ...(text === undefined ? {} : { platform: parsePlatform(text) }),
  })),
});

const chosen = (wanted: string, ...there: string[]) => {
  const { platform } = chooseManifest(index(...there), parsePlatform(wanted));
  return platform === undefined ? '' : platformString(platform);
};

test('chooseManifest() takes the variant asked for, else the highest it can run', () => {
  assert.equal(chosen('linux/amd64', 'linux/arm64', 'linux/amd64'), 'linux/amd64');
  assert.equal(chosen('linux/amd64', 'linux/amd64/v3', 'linux/amd64'), 'linux/amd64');
  assert.equal(chosen('linux/amd64/v3', 'linux/amd64', 'linux/amd64/v2'), 'linux/amd64/v2');
  assert.equal(chosen('linux/arm/v7', 'linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8'), 'linux/arm/v6');
  assert.equal(chosen('linux/arm64', 'linux/arm64/v8'), 'linux/arm64/v8');
  assert.equal(chosen('linux/arm64/v8', 'linux/arm64'), 'linux/arm64');
});

test('chooseManifest() says what there is when nothing fits', () => {
  assert.throws(() => chosen('linux/arm64', 'linux/amd64', 'windows/amd64', 'unknown/unknown'), {
    code: 'notFound',
    message:
      'no matching manifest for linux/arm64 in the manifest list entries: it has linux/amd64, windows/amd64',
  });
  assert.throws(() => chosen('linux/amd64', 'linux/amd64/v3'), { code: 'notFound' });
  assert.throws(() => chooseManifest(index(), parsePlatform('linux/amd64')), /it has no image/);
});

test('chooseManifest() takes an entry without a platform only if none has one', () => {
  assert.equal(chooseManifest(index(undefined), parsePlatform('linux/amd64')).digest, digestOf('0'));
  assert.throws(() => chooseManifest(index(undefined, 'linux/arm64'), parsePlatform('linux/amd64')));
});
