import assert from 'node:assert/strict';
import test from 'node:test';
import { transferOf } from './reference.ts';

test('transferOf() names the image in full, or the repository for all tags', () => {
  const name = (image: string, allTags = false) => transferOf(image, { allTags }).name;
  assert.equal(name('busybox'), 'docker.io/library/busybox:latest');
  assert.equal(name('localhost:5000/a/b:1'), 'localhost:5000/a/b:1');
  assert.equal(name('busybox', true), 'docker.io/library/busybox');
  assert.throws(() => name('busybox:1', true), { message: "tag can't be used with --all-tags/-a" });
  assert.equal(transferOf('busybox', { allTags: false }).usesDefaultTag, true);
  assert.equal(transferOf('busybox:1', { allTags: false }).usesDefaultTag, false);
});
