import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { globToRegExp, ignoreMatcher, parseIgnoreFile } from './index.ts';

interface Case {
  readonly patterns: readonly string[];
  readonly path: string;
  readonly match: boolean;
  readonly error?: string;
}
const vectors = JSON.parse(
  readFileSync(
    new URL('../../../test/fixtures/dockerfile/dockerignore-patterns.json', import.meta.url),
    'utf8',
  ),
) as Record<'single' | 'multi' | 'misc' | 'go_match', readonly Case[]> & {
  readonly ignorefile: { readonly input: string; readonly expected: readonly string[] };
};

test('parseIgnoreFile() cleans lines and drops comments', () => {
  assert.deepEqual(parseIgnoreFile(vectors.ignorefile.input), vectors.ignorefile.expected);
});

for (const table of ['single', 'multi', 'misc'] as const) {
  test(`ignoreMatcher() decides as the ${table} vectors say`, () => {
    for (const { patterns, path, match, error } of vectors[table]) {
      const label = `${patterns.join(' ')} on ${path}`;
      if (error !== undefined)
        assert.throws(() => ignoreMatcher(patterns)(path), { code: 'invalidArgument' });
      else assert.equal(ignoreMatcher(patterns)(path), match, label);
    }
  });
}

test('globToRegExp() matches as filepath.Match', () => {
  for (const { patterns, path, match, error } of vectors.go_match) {
    const [pattern = ''] = patterns;
    if (error !== undefined) assert.throws(() => globToRegExp(pattern), { code: 'invalidArgument' }, pattern);
    else assert.equal(globToRegExp(pattern).test(path), match, `${pattern} on ${path}`);
  }
});

test('ignoreMatcher() lets a later pattern take files of an ignored directory back', () => {
  const ignored = ignoreMatcher(parseIgnoreFile('*\n!**/*.py\nsecret.py\n'));
  assert.deepEqual(
    ['a.txt', 'dir/deep/x.py', 'dir/x.txt', 'secret.py'].map((path) => ignored(path)),
    [true, false, true, true],
  );
  assert.throws(() => ignoreMatcher(['!']), /illegal exclusion pattern/);
});
