import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { expandWord, expandWords } from './expand.ts';

const fixtures = new URL('../../../test/fixtures/dockerfile/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, fixtures), 'utf8');

test('expandWord() gives what the shell vectors say', () => {
  const env: Record<string, string> = { PWD: '/home', SHELL: 'bash', KOREAN: '한국어', NULL: '' };
  let count = 0;
  for (const line of read('shell/envVarTest').split('\n')) {
    const [platform = '', input = '', expected = ''] = line.split('|').map((field) => field.trim());
    if (line.startsWith('#') || line.trim() === '' || platform === 'W') continue;
    count += 1;
    const expand = () => expandWord(input, { escape: '\\', variables: (name) => env[name] });
    if (expected === 'error') assert.throws(expand, Error, input);
    else assert.equal(expand(), expected, input);
  }
  assert.ok(count > 200);
});

test('expandWords() splits as the word vectors say', () => {
  const env: Record<string, string> = {};
  for (const line of read('shell/wordsTest').split('\n')) {
    if (line.startsWith('#') || line === '') continue;
    const [, key, value] = /^ENV (\w+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined) {
      env[key] = value ?? '';
      continue;
    }
    const bar = line.indexOf('|');
    const [input, expected] = [line.slice(0, bar).trim(), line.slice(bar + 1).trimStart()];
    const expand = () => expandWords(input, { escape: '\\', variables: (name) => env[name] });
    if (expected === 'error') assert.throws(expand, Error, input);
    else assert.deepEqual(expand(), expected.split(','), input);
  }
});

interface Substitution {
  readonly input: string;
  readonly env: Record<string, string>;
  readonly expected?: string;
  readonly matched?: readonly string[];
  readonly unmatched?: readonly string[];
}

test('expandWord() handles every substitution and names the variables it used', () => {
  const { cases } = JSON.parse(read('shell-substitution.json')) as { cases: readonly Substitution[] };
  for (const { input, env, expected, matched, unmatched } of cases) {
    const found = new Set<string>();
    const missing = new Set<string>();
    const expand = () =>
      expandWord(input, {
        escape: '\\',
        variables: (name) => {
          (name in env ? found : missing).add(name);
          return env[name];
        },
      });
    if (expected === undefined) {
      assert.throws(expand, Error, input);
      continue;
    }
    assert.equal(expand(), expected, input);
    assert.deepEqual([...found].sort(), matched, input);
    assert.deepEqual([...missing].sort(), unmatched, input);
  }
});

test('expandWord() keeps unset variables as written when asked to', () => {
  const options = { escape: '\\', variables: () => undefined, keepUnset: true };
  assert.equal(expandWord('a $B ${C} ${D#x}', options), 'a $B ${C} ${D#x}');
});
