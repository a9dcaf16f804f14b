import assert from 'node:assert/strict';
import test from 'node:test';
import { resolveUser } from './user.ts';

const files = {
  passwd:
    'root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\napp:x:1000:100::/home/app:/bin/sh\n2000:x:3000:3000::/:\n',
  group: 'root:x:0:\nusers:x:100:\nwheel:x:10:app,other\naudio:x:29:app\n',
};

test('resolveUser() reads users and groups by name and number', () => {
  const table: [string, number, number, number[]][] = [
    ['', 0, 0, [0]],
    ['root', 0, 0, [0]],
    ['app', 1000, 100, [100, 10, 29]],
    ['1000', 1000, 100, [100, 10, 29]],
    ['app:wheel', 1000, 10, [10]],
    ['app:7', 1000, 7, [7]],
    ['1234', 1234, 0, [0]],
    ['1234:5678', 1234, 5678, [5678]],
    [':audio', 0, 29, [29]],
    ['2000', 3000, 3000, [3000]],
  ];
  for (const [spec, uid, gid, additionalGids] of table) {
    assert.deepEqual(resolveUser(spec, files), { uid, gid, additionalGids }, spec);
  }
  assert.deepEqual(resolveUser('app', files, ['users', '42', 'audio']).additionalGids, [100, 10, 29, 42]);
  assert.deepEqual(resolveUser('', { passwd: '', group: '' }), { uid: 0, gid: 0, additionalGids: [0] });
});

test("resolveUser() refuses unknown names in Docker's words", () => {
  const table: [string, string[], string][] = [
    ['foo', [], 'unable to find user foo: no matching entries in passwd file'],
    ['root:foo', [], 'unable to find group foo: no matching entries in group file'],
    ['root', ['foo'], 'Unable to find group foo: no matching entries in group file'],
    ['4294967295', [], 'uids and gids must be in range 0-2147483647'],
  ];
  for (const [spec, groups, message] of table) {
    assert.throws(() => resolveUser(spec, files, groups), { code: 'invalidArgument', message });
  }
});
