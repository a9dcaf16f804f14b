import assert from 'node:assert/strict';
import test from 'node:test';
import { Query, referenceOf } from './query.ts';

test('Query.flag() takes all but the words for no as true', () => {
  for (const text of ['', '0', 'no', 'False', ' none '])
    assert.equal(new Query({ x: text }).flag('x'), false, text);
  for (const text of ['1', 'true', 'yes', 'x', 'null'])
    assert.equal(new Query({ x: text }).flag('x'), true, text);
  assert.equal(new Query({}).flag('x', true), true);
  assert.equal(new Query({ x: '' }).flag('x', true), false);
});

test('Query.time() reads seconds with up to nine digits of a fraction', () => {
  assert.equal(new Query({ t: '1.000000001' }).time('t'), 1_000_000_001n);
  assert.equal(new Query({ t: '1700000000.5' }).time('t'), 1_700_000_000_500_000_000n);
  assert.equal(new Query({ t: '0' }).time('t'), 0n);
  assert.equal(new Query({ t: '' }).time('t'), undefined);
  for (const bad of ['now', '1h', '1.2.3', '2024-01-01T00:00:00Z']) {
    assert.throws(() => new Query({ t: bad }).time('t'), { code: 'invalidArgument' }, bad);
  }
});

test('Query.integer() and Query.platform() refuse what they cannot read', () => {
  assert.equal(new Query({ n: '-1' }).integer('n'), -1);
  assert.equal(new Query({ n: '' }).integer('n'), undefined);
  for (const bad of ['1.5', '0x1', 'a', '9'.repeat(20)]) {
    assert.throws(() => new Query({ n: bad }).integer('n'), { code: 'invalidArgument' }, bad);
  }
  assert.deepEqual(new Query({ platform: 'Linux/ARM64' }).platform(), { os: 'linux', architecture: 'arm64' });
  for (const bad of ['/', 'a/b/c/d', 'linux/']) {
    assert.throws(() => new Query({ platform: bad }).platform(), { code: 'invalidArgument' }, bad);
  }
});

test('Query.platform() takes the words for a platform that Docker takes', () => {
  const platform = (text: string) => new Query({ platform: text }).platform();
  assert.deepEqual(platform('linux/x86_64'), { os: 'linux', architecture: 'amd64' });
  assert.deepEqual(platform('linux/aarch64'), { os: 'linux', architecture: 'arm64' });
  assert.deepEqual(platform('arm64'), { os: 'linux', architecture: 'arm64' });
  assert.deepEqual(platform('linux/arm/7'), { os: 'linux', architecture: 'arm', variant: 'v7' });
  assert.equal(platform(''), undefined);
});

test('referenceOf() joins repository and tag', () => {
  assert.equal(referenceOf(new Query({ repo: 'a/b', tag: '1' })), 'a/b:1');
  assert.equal(referenceOf(new Query({ repo: 'a/b' })), 'a/b');
  assert.equal(referenceOf(new Query({ tag: '1' })), undefined);
});
