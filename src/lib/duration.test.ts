import assert from 'node:assert/strict';
import test from 'node:test';
import { formatDuration, parseDuration } from './duration.ts';

test('parseDuration() reads what Go reads', () => {
  assert.equal(parseDuration('1m30s'), 90e9);
  assert.equal(parseDuration('500ms'), 5e8);
  assert.equal(parseDuration('1.5h'), 5400e9);
  assert.equal(parseDuration('1h2m3s4ms'), 3_723_004_000_000);
  assert.equal(parseDuration('0'), 0);
  assert.equal(parseDuration('-2s'), -2e9);
  assert.equal(parseDuration('1µs') + parseDuration('1μs'), 2000);
});

const bad: readonly (readonly [string, string])[] = [
  ['', 'time: invalid duration ""'],
  ['3', 'time: missing unit in duration "3"'],
  ['3x', 'time: unknown unit "x" in duration "3x"'],
  ['abc', 'time: invalid duration "abc"'],
  ['1s ', 'time: invalid duration "1s "'],
];
for (const [text, message] of bad) {
  test(`parseDuration() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseDuration(text), { code: 'invalidArgument', message });
  });
}

test('formatDuration() writes what Go writes', () => {
  const cases = [
    [0, '0s'],
    [1, '1ns'],
    [1_500, '1.5µs'],
    [500e6, '500ms'],
    [1.5e9, '1.5s'],
    [90e9, '1m30s'],
    [3600e9, '1h0m0s'],
    [-7_384_500_000_000, '-2h3m4.5s'],
  ] as const;
  for (const [nanoseconds, text] of cases) assert.equal(formatDuration(nanoseconds), text);
});
