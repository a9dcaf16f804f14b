import assert from 'node:assert/strict';
import test from 'node:test';
import { parseMode } from './file-mode.ts';

test('parseMode() reads octal and symbolic modes', () => {
  const mode = (text: string, from: number, isDirectory = false) =>
    parseMode(text)(from, isDirectory).toString(8);
  assert.equal(mode('4755', 0o600), '4755');
  assert.equal(mode('u=rwX,go=rX', 0o600), '644');
  assert.equal(mode('u=rwX,go=rX', 0o700), '755');
  assert.equal(mode('u=rwX,go=rX', 0o600, true), '755');
  assert.equal(mode('a+x', 0o644), '755');
  assert.equal(mode('go-rwx', 0o777), '700');
  assert.equal(mode('u+s,o+t', 0o755), '5755');
  for (const text of ['8', '77777', 'u~x', 'rwx', '']) {
    assert.throws(() => parseMode(text), { code: 'invalidArgument' }, text);
  }
});
