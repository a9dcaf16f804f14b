import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderListing } from './listing.ts';
import { alignColumns } from './table.ts';
import { binarySize, ellipsis, humanDuration, humanSize, shortId, timeAgo } from './units.ts';

const sizes: readonly (readonly [number, string])[] = [
  [0, '0B'],
  [999, '999B'],
  [1000, '1kB'],
  [1234567, '1.235MB'],
  [4_261_550, '4.262MB'],
  [1.5e9, '1.5GB'],
];
for (const [bytes, expected] of sizes) {
  test(`humanSize() prints ${bytes} as ${expected}`, () => assert.equal(humanSize(bytes), expected));
}

test('humanSize() with precision 3 prints as images do', () =>
  assert.equal(humanSize(4_261_550, 3), '4.26MB'));
test('binarySize() counts in 1024', () => assert.equal(binarySize(1.5 * 1024 ** 3), '1.5GiB'));

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const durations: readonly (readonly [number, string])[] = [
  [450, 'Less than a second'],
  [1 * second, '1 second'],
  [46 * second, '46 seconds'],
  [1 * minute, 'About a minute'],
  [3 * minute, '3 minutes'],
  [1 * hour, 'About an hour'],
  [1 * hour + 45 * minute, '2 hours'],
  [47 * hour, '47 hours'],
  [2 * day, '2 days'],
  [13 * day, '13 days'],
  [14 * day, '2 weeks'],
  [35 * day, '5 weeks'],
  [60 * day, '2 months'],
  [720 * day, '24 months'],
  [800 * day, '2 years'],
];
for (const [milliseconds, expected] of durations) {
  test(`humanDuration() says ${expected}`, () => assert.equal(humanDuration(milliseconds), expected));
}

test('timeAgo() knows no time', () => assert.equal(timeAgo(0), 'N/A'));
test('shortId() takes digests and ids', () => {
  assert.equal(shortId(`sha256:${'ab'.repeat(32)}`), 'abababababab');
  assert.equal(shortId('0123456789abcdef'), '0123456789ab');
});
test('ellipsis() keeps short texts', () => {
  assert.equal(ellipsis('sleep 1', 20), 'sleep 1');
  assert.equal(ellipsis('a'.repeat(30), 20), `${'a'.repeat(19)}…`);
});

test('alignColumns() pads with three spaces, at least ten wide, and not the last column', () => {
  assert.equal(
    alignColumns(['A\tB\tC', 'long-long-long\tx\ty']),
    'A                B         C\nlong-long-long   x         y\n',
  );
});

const listing = {
  headings: { ID: 'CONTAINER ID', Names: 'NAMES' },
  table: '{{.ID}}\t{{.Names}}',
  quiet: '{{.ID}}',
  rows: [{ ID: '1', Names: 'web', Label: (name: string) => `<${name}>` }],
};
test('renderListing() prints the default table, quiet ids, json and templates', () => {
  assert.equal(renderListing(listing, ''), 'CONTAINER ID   NAMES\n1              web\n');
  assert.equal(renderListing(listing, '', { quiet: true }), '1\n');
  assert.equal(renderListing(listing, 'json'), '{"ID":"1","Names":"web"}\n');
  assert.equal(renderListing(listing, '{{.Names}}\\t{{.Label "x"}}'), 'web\t<x>\n');
  assert.equal(renderListing(listing, 'table {{upper .Names}}'), 'NAMES\nWEB\n');
  assert.equal(renderListing({ ...listing, rows: [] }, ''), 'CONTAINER ID   NAMES\n');
});
