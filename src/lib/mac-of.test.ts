import assert from 'node:assert/strict';
import { test } from 'node:test';
import { macOf } from './mac-of.ts';

test('macOf() is 02:42 and the address', () => {
  assert.equal(macOf('172.17.0.2'), '02:42:ac:11:00:02');
});
