import assert from 'node:assert/strict';
import test from 'node:test';
import { parseSignal, signalName } from './signals.ts';

test('parseSignal() takes names in any case, with and without SIG, and numbers', () => {
  const table: [string, number][] = [
    ['SIGKILL', 9],
    ['kill', 9],
    ['9', 9],
    ['sigterm', 15],
    ['SIGUSR1', 10],
    ['WINCH', 28],
    ['RTMIN', 34],
    ['SIGRTMIN+3', 37],
    ['RTMAX-14', 50],
    ['RTMAX', 64],
    ['64', 64],
  ];
  for (const [text, number] of table) assert.equal(parseSignal(text), number, text);
});

test('parseSignal() refuses what is no signal', () => {
  for (const text of ['', '0', '65', '-1', 'FOO', 'SIG', 'RTMIN+16', '9x', 'constructor']) {
    assert.throws(() => parseSignal(text), { code: 'invalidArgument', message: `invalid signal: ${text}` });
  }
});

test('signalName() gives names back', () => {
  assert.equal(signalName(9), 'KILL');
  assert.equal(signalName(37), 'RTMIN+3');
});
