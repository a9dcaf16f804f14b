import assert from 'node:assert/strict';
import test from 'node:test';
import { hostPlatform, hostRuns, parsePlatform, platformMatches, platformString } from './index.ts';

test('parsePlatform() reads one, two and three parts in Go words and their synonyms', () => {
  assert.deepEqual(parsePlatform('linux/amd64'), { os: 'linux', architecture: 'amd64' });
  assert.deepEqual(parsePlatform('linux/x86_64'), { os: 'linux', architecture: 'amd64' });
  assert.deepEqual(parsePlatform('linux/arm64/v8'), { os: 'linux', architecture: 'arm64', variant: 'v8' });
  assert.deepEqual(parsePlatform('linux/arm/7'), { os: 'linux', architecture: 'arm', variant: 'v7' });
  assert.deepEqual(parsePlatform('aarch64'), { os: 'linux', architecture: 'arm64' });
  assert.deepEqual(parsePlatform('linux'), hostPlatform());
});

test('parsePlatform() refuses empty and extra parts', () => {
  for (const text of ['', 'linux/', '/amd64', 'a/b/c/d', 'linux/am d']) {
    assert.throws(() => parsePlatform(text), { code: 'invalidArgument' }, text);
  }
});

test('platformMatches() takes arm64 and arm64/v8 as one, arm/v6 and arm/v7 as two', () => {
  const match = (wanted: string, has: string) => platformMatches(parsePlatform(wanted), parsePlatform(has));
  assert.ok(match('linux/arm64', 'linux/arm64/v8'));
  assert.ok(!match('linux/arm/v6', 'linux/arm/v7'));
  assert.ok(!match('linux/amd64', 'linux/arm64'));
  assert.equal(platformString(parsePlatform('linux/arm/v6')), 'linux/arm/v6');
});

test('hostRuns() takes the 32 bits of a host of 64', () => {
  const amd64 = parsePlatform('linux/amd64');
  assert.ok(hostRuns(parsePlatform('linux/amd64/v2'), amd64));
  assert.ok(hostRuns(parsePlatform('linux/386'), amd64));
  assert.ok(hostRuns(parsePlatform('linux/arm/v7'), parsePlatform('linux/arm64')));
  assert.ok(!hostRuns(parsePlatform('linux/arm64'), amd64));
  assert.ok(!hostRuns(parsePlatform('windows/amd64'), amd64));
  assert.ok(!hostRuns(amd64, parsePlatform('linux/386')));
});
