import assert from 'node:assert/strict';
import test from 'node:test';
import { containerTop, parsePs, splitArgs } from './top.ts';

const table = `UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 10:00 ?        00:00:01 /sbin/init  splash
root          17       1  0 10:00 ?        00:00:00 sh -c  sleep 5
root           -       1  0 10:00 ?        00:00:00 thread
app           18      17  0 10:00 ?        00:00:00 sleep 5
`;

test('parsePs() keeps the rows of the container and joins the last column', () => {
  const { Titles, Processes } = parsePs(table, [17]);
  assert.deepEqual(Titles, ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
  assert.deepEqual(Processes, [
    ['root', '17', '1', '0', '10:00', '?', '00:00:00', 'sh -c sleep 5'],
    ['root', '-', '1', '0', '10:00', '?', '00:00:00', 'thread'],
  ]);
});

test('parsePs() needs a PID column', () => {
  assert.throws(() => parsePs('CMD\nsh\n', [1]), {
    code: 'invalidArgument',
    message: "couldn't find PID field in ps output",
  });
});

test('splitArgs() defaults to -ef and refuses a renamed PID', () => {
  assert.deepEqual(splitArgs(''), ['-ef']);
  assert.deepEqual(splitArgs(' -o  pid,cmd'), ['-o', 'pid,cmd']);
  assert.throws(() => splitArgs('-o pid=X,cmd'), { code: 'invalidArgument' });
});

test('containerTop() runs the ps of the host', async () => {
  const { Titles, Processes } = await containerTop([process.pid], '-o pid,comm -e');
  assert.deepEqual(Titles, ['PID', 'COMMAND']);
  assert.equal(Processes[0]?.[0], String(process.pid));
  await assert.rejects(containerTop([1], '--nonsense'), { code: 'invalidArgument' });
});
