import assert from 'node:assert/strict';
import test from 'node:test';
import { DetachFilter, parseDetachKeys } from './detach-keys.ts';

test('parseDetachKeys() reads control keys and characters', () => {
  assert.deepEqual([...parseDetachKeys('ctrl-p,ctrl-q')], [16, 17]);
  assert.deepEqual([...parseDetachKeys('a,ctrl-@,ctrl-[')], [97, 0, 27]);
  for (const bad of ['', 'ctrl-', 'ctrl-1', 'ab']) {
    assert.throws(() => parseDetachKeys(bad), { code: 'invalidArgument' }, bad);
  }
});

function filter() {
  const passed: string[] = [];
  const keys = new DetachFilter(parseDetachKeys('ctrl-p,ctrl-q'), (data) =>
    passed.push(data.toString('latin1')),
  );
  return { keys, passed };
}

test('DetachFilter holds the first key back until the next byte', () => {
  const { keys, passed } = filter();
  assert.equal(keys.push(Buffer.from('a\x10')), false);
  assert.deepEqual(passed, ['a']);
  assert.equal(keys.push(Buffer.from('b')), false);
  assert.deepEqual(passed, ['a', '\x10b']);
});

test('DetachFilter finds the keys over two reads and after a repeated first key', () => {
  const { keys, passed } = filter();
  assert.equal(keys.push(Buffer.from('x\x10\x10')), false);
  assert.equal(keys.push(Buffer.from('\x11')), true);
  assert.equal(passed.join(''), 'x\x10');
});

test('DetachFilter passes a lone first key on after a while, and still waits for the next', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { keys, passed } = filter();
  keys.push(Buffer.from('\x10'));
  t.mock.timers.tick(1_000);
  assert.deepEqual(passed, ['\x10']);
  assert.equal(keys.push(Buffer.from('\x11')), true);
  assert.deepEqual(passed, ['\x10']);
  const other = filter();
  other.keys.push(Buffer.from('\x10'));
  t.mock.timers.tick(1_000);
  assert.equal(other.keys.push(Buffer.from('b')), false);
  assert.deepEqual(other.passed, ['\x10', 'b']);
});
