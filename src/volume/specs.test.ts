import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { parseBind, parseVolumesFrom } from './specs.ts';

const vectors = JSON.parse(
  readFileSync(new URL('../../test/fixtures/volume-specs.json', import.meta.url), 'utf8'),
) as { readonly valid: readonly string[]; readonly invalid_error_contains: Readonly<Record<string, string>> };

for (const text of vectors.valid) {
  test(`parseBind() accepts ${text}`, () => {
    parseBind(text);
  });
}

for (const [text, message] of Object.entries(vectors.invalid_error_contains)) {
  test(`parseBind() refuses "${text}": ${message}`, () => {
    assert.throws(
      () => parseBind(text),
      (error: Error) => error.message.includes(message),
    );
  });
}

test('parseBind() tells binds from volumes', () => {
  assert.deepEqual(parseBind('/h:/c:ro,z'), {
    type: 'bind',
    source: '/h',
    destination: '/c',
    readOnly: true,
    mode: 'ro,z',
    propagation: 'rprivate',
  });
  assert.deepEqual(parseBind('data:/c/:nocopy'), {
    type: 'volume',
    source: 'data',
    destination: '/c',
    readOnly: false,
    mode: 'nocopy',
    noCopy: true,
  });
  assert.deepEqual(parseBind('/c'), {
    type: 'volume',
    destination: '/c',
    readOnly: false,
    mode: '',
    noCopy: false,
  });
});

test('parseBind() takes one mode of consistency, which changes nothing', () => {
  for (const text of ['/h:/c:cached', '/h:/c:ro,delegated', 'name:/c:consistent']) parseBind(text);
  assert.throws(() => parseBind('/h:/c:cached,delegated'), { message: 'invalid mode: cached,delegated' });
});

test('parseVolumesFrom() takes no propagation, nor a mode that says how a volume is filled', () => {
  assert.deepEqual(parseVolumesFrom('c'), { container: 'c', mode: 'rw', readOnly: false });
  assert.deepEqual(parseVolumesFrom('c:z,ro'), { container: 'c', mode: 'z,ro', readOnly: true });
  assert.deepEqual(parseVolumesFrom('c:cached'), { container: 'c', mode: 'cached', readOnly: false });
  for (const mode of ['some', 'ro,rw', 'rshared', 'nocopy', 'ro:z']) {
    assert.throws(() => parseVolumesFrom(`c:${mode}`), { message: `invalid mode: ${mode}` });
  }
});
