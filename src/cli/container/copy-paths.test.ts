import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extractArguments, parseCopySpec, planCopyIn, wantsContents } from './copy-paths.ts';

test('parseCopySpec() tells containers from local paths', () => {
  assert.deepEqual(parseCopySpec('web:/etc/hosts'), { container: 'web', path: '/etc/hosts' });
  assert.deepEqual(parseCopySpec('/a:b'), { path: '/a:b' });
  assert.deepEqual(parseCopySpec('./a:b'), { path: './a:b' });
  assert.deepEqual(parseCopySpec('-'), { path: '-' });
  assert.deepEqual(parseCopySpec('file'), { path: 'file' });
});

const file = { source: '/src/a.txt', contents: false, sourceIsDirectory: false } as const;
const directory = { source: '/src/dir', contents: false, sourceIsDirectory: true } as const;

test('planCopyIn() copies into a directory that is there', () => {
  assert.deepEqual(planCopyIn({ ...file, target: '/tmp', targetKind: 'directory' }), {
    directory: '/tmp',
    name: 'a.txt',
  });
  assert.deepEqual(planCopyIn({ ...directory, contents: true, target: '/tmp', targetKind: 'directory' }), {
    directory: '/tmp',
    name: '',
  });
});

test('planCopyIn() renames to what is not there', () => {
  assert.deepEqual(planCopyIn({ ...file, target: '/tmp/b', targetKind: 'missing' }), {
    directory: '/tmp',
    name: 'b',
  });
  assert.deepEqual(planCopyIn({ ...directory, target: '/tmp/new', targetKind: 'missing' }), {
    directory: '/tmp',
    name: 'new',
  });
  assert.deepEqual(planCopyIn({ ...directory, contents: true, target: '/new', targetKind: 'missing' }), {
    directory: '/',
    name: 'new',
  });
});

test("planCopyIn() refuses with Docker's texts", () => {
  assert.throws(
    () => planCopyIn({ ...directory, target: '/f', targetKind: 'other' }),
    /cannot copy directory/,
  );
  assert.throws(() => planCopyIn({ ...file, target: '/new/', targetKind: 'missing' }), /no such directory/);
});

test('extractArguments() renames the top entry and not the targets of symlinks', () => {
  const base = {
    contents: false,
    sourceIsDirectory: true,
    parentIsDirectory: true,
    keepOwner: false,
  } as const;
  const args = extractArguments({
    ...base,
    rootName: 'a.b',
    name: 'a.b',
    target: '/t/new',
    targetKind: 'missing',
  });
  assert.equal(args.at(-1), '--transform=flags=rh;s|^\\(\\./\\)\\{0,1\\}a\\.b\\(/\\|$\\)|new\\2|');
  assert.deepEqual(args.slice(-3, -1), ['-C', '/t']);
  const into = { ...base, rootName: 'a', target: '/t', targetKind: 'directory' } as const;
  assert.deepEqual(extractArguments({ ...into, name: 'a' }).slice(-2), ['-C', '/t']);
  assert.match(extractArguments({ ...into, name: 'link' }).at(-1) ?? '', /\}a\\\(.*\|link\\2\|$/);
});

test('wantsContents() sees a final dot', () => {
  assert.equal(wantsContents('a/.'), true);
  assert.equal(wantsContents('a/'), false);
  assert.equal(wantsContents('a.'), false);
});
