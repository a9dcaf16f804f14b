import assert from 'node:assert/strict';
import test from 'node:test';
import { isDeaf } from './deaf.ts';

const status = (fields: { blocked?: string; ignored?: string; caught?: string; pids?: string }) =>
  [
    'Name:\tapp',
    `NSpid:\t${fields.pids ?? '4711\t1'}`,
    `SigBlk:\t${fields.blocked ?? '0000000000000000'}`,
    `SigIgn:\t${fields.ignored ?? '0000000000000000'}`,
    `SigCgt:\t${fields.caught ?? '0000000000000000'}`,
  ].join('\n');

const term = 15;
const termBit = '0000000000004000';

test('isDeaf() is true for a first process without a handler', () => {
  assert.equal(isDeaf(status({}), term), true);
  assert.equal(isDeaf(status({ ignored: termBit }), term), true);
  assert.equal(isDeaf(status({ caught: '0000000000000001' }), term), true);
});

test('isDeaf() is false for a first process that handles or waits for it, and for signals nobody can refuse', () => {
  assert.equal(isDeaf(status({ caught: termBit }), term), false);
  assert.equal(isDeaf(status({ caught: 'ffffffffffffffff' }), 64), false);
  assert.equal(isDeaf(status({ blocked: termBit }), term), false);
  assert.equal(isDeaf(status({}), 9), false);
  assert.equal(isDeaf(status({}), 19), false);
});

test('isDeaf() of another process is whether it ignores the signal', () => {
  assert.equal(isDeaf(status({ pids: '4711' }), term), false);
  assert.equal(isDeaf(status({ pids: '4711\t7', ignored: termBit }), term), true);
});
