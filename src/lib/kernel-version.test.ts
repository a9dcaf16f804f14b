import assert from 'node:assert/strict';
import test from 'node:test';
import { kernelAtLeast } from './kernel-version.ts';

test('kernelAtLeast() compares numbers, not text', () => {
  assert.equal(kernelAtLeast('6.1.0-13-amd64', '5.12'), true);
  assert.equal(kernelAtLeast('5.9.16', '5.12'), false);
  assert.equal(kernelAtLeast('4.8', '4.8'), true);
});
