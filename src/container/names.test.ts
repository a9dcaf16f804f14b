import assert from 'node:assert/strict';
import test from 'node:test';
import { adjectives, surnames } from './name-words.ts';
import { generateName, parseContainerName } from './names.ts';

const id = 'ab12'.repeat(16);

test('the word lists are long enough, without repeats, and make valid names', () => {
  for (const [words, least] of [
    [adjectives, 80],
    [surnames, 150],
  ] as const) {
    assert.ok(words.length >= least);
    assert.equal(new Set(words).size, words.length);
    assert.ok(words.every((word) => /^[a-z]+$/.test(word)));
  }
});

test('generateName() appends a digit after the first try and gives up for the short id', () => {
  const tried: string[] = [];
  const name = generateName(id, (one) => {
    tried.push(one);
    return true;
  });
  assert.equal(name, '/ab12ab12ab12');
  assert.equal(tried.length, 6);
  assert.match(tried[0] ?? '', /^\/[a-z]+_[a-z]+$/);
  for (const one of tried.slice(1)) assert.match(one, /^\/[a-z]+_[a-z]+[0-9]$/);
  assert.match(
    generateName(id, () => false),
    /^\/[a-z]+_[a-z]+$/,
  );
});

test('parseContainerName() takes what Docker takes', () => {
  assert.equal(parseContainerName('web'), '/web');
  assert.equal(parseContainerName('/web.1_a-b'), '/web.1_a-b');
  for (const bad of ['', 'a', '-ab', '//ab', 'a b', 'a/b', 'é1', 'ab\n']) {
    assert.throws(() => parseContainerName(bad), {
      code: 'invalidArgument',
      message: `Invalid container name (${bad}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    });
  }
});
