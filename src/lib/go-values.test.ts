import assert from 'node:assert/strict';
import test from 'node:test';
import { parseIntegerLiteral } from './go-values.ts';

test('parseIntegerLiteral() reads whole numbers as Go writes them', () => {
  const cases = [
    ['0', 0],
    ['-7', -7],
    ['0x1F', 31],
    ['-0b11', -3],
    ['010', 8],
    ['0o17', 15],
    ['+1_000', 1000],
    ['0_7', 7],
  ] as const;
  for (const [text, number] of cases) assert.equal(parseIntegerLiteral(text), number, text);
});

test('parseIntegerLiteral() refuses what is none, or does not fit into 64 bits', () => {
  for (const text of ['', '1.5', '09', '1__0', '_1', '0x', '1e3', ' 1']) {
    assert.throws(() => parseIntegerLiteral(text), /parsing ".*": invalid syntax$/, text);
  }
  for (const text of ['9223372036854775808', '-0x8000000000000001']) {
    assert.throws(() => parseIntegerLiteral(text), /value out of range$/, text);
  }
});
