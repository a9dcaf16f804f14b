import assert from 'node:assert/strict';
import { once } from 'node:events';
import test, { after } from 'node:test';
import WebSocket from 'ws';
import { startDaemon } from '../support/daemon.ts';

// Attaching by WebSocket, as web consoles do.

const engine = await startDaemon({ after });
const docker = (...args: string[]) => engine.ok(args);
const base = `ws+${engine.host}:`;

interface Attached {
  readonly socket: WebSocket;
  readonly received: () => string;
  readonly until: (text: string) => Promise<void>;
}

function attach(path: string): Attached {
  const socket = new WebSocket(`${base}${path}`);
  let received = '';
  let wake = () => undefined as void;
  socket.on('message', (data: Buffer, isBinary) => {
    assert.ok(isBinary);
    received += data.toString();
    wake();
  });
  return {
    socket,
    received: () => received,
    until: async (text) => {
      while (!received.includes(text)) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

test('input goes in, output comes back unframed, and the end closes the socket', async () => {
  docker(
    'run',
    '-d',
    '-i',
    '--name',
    'plain',
    'base:1',
    'sh',
    '-c',
    'while read line; do echo "got $line"; [ "$line" = end ] && exit; done',
  );
  const { socket, received, until } = attach(
    '/v1.50/containers/plain/attach/ws?stream=1&stdin=1&stdout=1&stderr=1',
  );
  await once(socket, 'open');
  socket.send('first\n');
  await until('got first\n');
  socket.send(Buffer.from('end\n'));
  const [code] = (await once(socket, 'close')) as [number];
  // 1006 is a connection that broke off.
  assert.ok(code < 1006, String(code));
  assert.equal(received(), 'got first\ngot end\n');
  assert.equal(docker('wait', 'plain'), '0');
  docker('rm', 'plain');
});

test('a terminal: what it wrote before, several clients, detach keys', async () => {
  docker('run', '-dit', '--name', 'tty', 'base:1', 'sh', '-c', 'echo before; cat');
  const path = '/containers/tty/attach/ws?stream=1&stdin=1&stdout=1&logs=1';
  const one = attach(path);
  const two = attach(path);
  await Promise.all([once(one.socket, 'open'), once(two.socket, 'open')]);
  // What is typed before the shell runs is echoed before it writes.
  await Promise.all([one.until('before\r\n'), two.until('before\r\n')]);
  one.socket.send('hello\r');
  await Promise.all([one.until('hello\r\nhello\r\n'), two.until('hello\r\nhello\r\n')]);
  assert.match(one.received(), /^before\r\n/);
  one.socket.send('\x10\x11');
  await once(one.socket, 'close');
  assert.equal(docker('inspect', '-f', '{{.State.Running}}', 'tty'), 'true');
  two.socket.terminate();
  docker('rm', '-f', 'tty');
});

test('errors come before the upgrade, as a status', async () => {
  const { socket } = attach('/containers/nosuch/attach/ws?stream=1');
  const [error] = (await once(socket, 'error')) as [Error];
  assert.match(error.message, /Unexpected server response: 404/);
});
