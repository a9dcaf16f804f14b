import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { parseBind } from './specs.ts';

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
