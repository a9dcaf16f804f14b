import assert from 'node:assert/strict';
import test from 'node:test';
import type { Filters } from '../api/index.ts';
import { booleanFilter, hasLabel, parseUntil, passesLabels, passesUntil } from './object-filters.ts';

const filters = (entries: Record<string, string[]>): Filters => new Map(Object.entries(entries));
const labels = { stage: 'test', empty: '', 'a.b': 'x=y' };

test('hasLabel() takes a key, or a key with its value', () => {
  for (const wanted of ['stage', 'stage=test', 'empty', 'empty=', 'a.b=x=y']) {
    assert.ok(hasLabel(labels, wanted), wanted);
  }
  for (const wanted of ['stage=', 'stage=tes', 'toString', 'other', 'other=']) {
    assert.ok(!hasLabel(labels, wanted), wanted);
  }
});

test('passesLabels() wants every label and none of label!', () => {
  assert.ok(passesLabels(labels, filters({ label: ['stage', 'empty='] })));
  assert.ok(!passesLabels(labels, filters({ label: ['stage', 'other'] })));
  assert.ok(passesLabels(labels, filters({ 'label!': ['other'] })));
  assert.ok(!passesLabels(labels, filters({ 'label!': ['other', 'stage=test'] })));
});

test('parseUntil() takes a duration before now, unix seconds and dates', () => {
  assert.equal(parseUntil('10m', 1_000_000), 400_000);
  assert.equal(parseUntil('1.5', 0), 1500);
  assert.equal(parseUntil('2026-01-02'), Date.UTC(2026, 0, 2));
  assert.equal(parseUntil('2026-01-02T03:04:05Z'), Date.UTC(2026, 0, 2, 3, 4, 5));
  assert.throws(() => parseUntil('soon'), {
    code: 'invalidArgument',
    message: "invalid filter 'until=[soon]'",
  });
  assert.ok(passesUntil(1000, filters({ until: ['2'] })));
  assert.ok(!passesUntil(2000, filters({ until: ['2'] })));
});

test('booleanFilter() knows Go’s words and refuses others, and both at once', () => {
  assert.equal(booleanFilter(filters({}), 'dangling'), undefined);
  assert.equal(booleanFilter(filters({ dangling: ['T'] }), 'dangling'), true);
  assert.equal(booleanFilter(filters({ dangling: ['0'] }), 'dangling'), false);
  for (const values of [['maybe'], ['true', 'false']]) {
    assert.throws(() => booleanFilter(filters({ dangling: values }), 'dangling'), {
      code: 'invalidArgument',
    });
  }
});
