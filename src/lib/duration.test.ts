import assert from 'node:assert/strict';
import test from 'node:test';
import { parseDuration } from './duration.ts';

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
