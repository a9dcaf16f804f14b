import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import {
  canonicalString,
  familiarName,
  familiarString,
  parseReference,
  parseStrictReference,
  withDefaultTag,
} from './index.ts';

interface Vectors {
  readonly parse: readonly {
    readonly input: string;
    readonly repository?: string;
    readonly domain?: string;
    readonly tag?: string;
    readonly digest?: string;
    readonly error?: string;
  }[];
  readonly normalize_valid: readonly string[];
  readonly normalize_invalid: readonly string[];
  readonly familiar: readonly {
    readonly RemoteName: string;
    readonly FamiliarName: string;
    readonly FullName: string;
    readonly AmbiguousName: string;
    readonly Domain: string;
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL('../../test/fixtures/image-references.json', import.meta.url), 'utf8'),
) as Vectors;

const textOf: Readonly<Record<string, string>> = {
  ErrNameEmpty: 'invalid reference format: repository name must have at least one component',
  ErrReferenceInvalidFormat: 'invalid reference format',
  ErrNameContainsUppercase: 'invalid reference format: repository name must be lowercase',
  ErrNameTooLong: 'repository name must not be more than 255 characters',
  'digest.ErrDigestInvalidLength': 'invalid reference format: invalid checksum digest length',
  'digest.ErrDigestUnsupported': 'invalid reference format: unsupported digest algorithm',
};

test('parseStrictReference() passes the vectors of distribution/reference', () => {
  for (const vector of vectors.parse) {
    if (vector.error !== undefined) {
      const message = textOf[vector.error];
      assert.ok(message, vector.error);
      assert.throws(() => parseStrictReference(vector.input), { code: 'invalidArgument', message });
      continue;
    }
    const parsed = parseStrictReference(vector.input);
    const name = parsed.domain === undefined ? parsed.path : `${parsed.domain}/${parsed.path}`;
    assert.equal(name, vector.repository, vector.input);
    assert.equal(parsed.domain, vector.domain, vector.input);
    assert.equal(parsed.tag, vector.tag, vector.input);
    assert.equal(parsed.digest, vector.digest, vector.input);
  }
});

test('parseReference() accepts what Docker accepts and refuses what it refuses', () => {
  for (const text of vectors.normalize_valid) assert.doesNotThrow(() => parseReference(text), text);
  for (const text of vectors.normalize_invalid) {
    assert.throws(() => parseReference(text), { code: 'invalidArgument' }, text);
  }
});

test('parseReference() normalizes, and familiarName() undoes it', () => {
  for (const vector of vectors.familiar) {
    for (const text of [vector.FamiliarName, vector.FullName, vector.AmbiguousName]) {
      if (text === '') continue;
      const reference = parseReference(text);
      assert.equal(reference.domain, vector.Domain, text);
      assert.equal(reference.path, vector.RemoteName, text);
      assert.equal(canonicalString(reference), vector.FullName, text);
      assert.equal(familiarName(reference), vector.FamiliarName, text);
    }
  }
});

test('parseReference() names the upper-case repository as Docker does', () => {
  assert.throws(() => parseReference('Busybox'), {
    message: 'invalid reference format: repository name (library/Busybox) must be lowercase',
  });
});

test('withDefaultTag() adds latest only where there is neither tag nor digest', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.equal(familiarString(withDefaultTag(parseReference('a'))), 'a:latest');
  assert.equal(familiarString(withDefaultTag(parseReference('a:b'))), 'a:b');
  assert.equal(familiarString(withDefaultTag(parseReference(`a@${digest}`))), `a@${digest}`);
});
