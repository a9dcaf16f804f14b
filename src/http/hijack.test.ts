import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { RawClient, readFrames, serve, shellSession } from '../../test/support/http-server.ts';
import type { AttachOptions } from '../container/index.ts';
import { EngineError } from '../errors/index.ts';
import { closeConnection } from './hijack.ts';

const exec = { ID: 'e', DetachKeys: '' } as never;

async function serveScript(t: TestContext, script: string, options: { readonly tty?: boolean } = {}) {
  const asked: AttachOptions[] = [];
  const { path } = await serve(t, {
    containers: {
      attach: async (_name, attach) => {
        asked.push(attach);
        return shellSession(script, options);
      },
      execInspect: () => exec,
      execStart: async () => shellSession(script, options),
    },
  });
  const client = new RawClient(path);
  t.after(() => client.socket.destroy());
  return { client, asked };
}

const upgrade = ['Host: d', 'Connection: Upgrade', 'Upgrade: tcp'];
const attachLine = 'POST /v1.50/containers/c/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1';

test('attach answers 101 and frames both outputs', async (t) => {
  const { client, asked } = await serveScript(t, 'echo out; sleep 0.05; echo err >&2');
  client.send(attachLine, ...upgrade, 'Content-Length: 0', '', '');
  const { headers, body } = await client.answer();
  assert.match(headers, /^HTTP\/1\.1 101 UPGRADED\r\n/);
  assert.match(headers, /Content-Type: application\/vnd\.docker\.multiplexed-stream\r?\n?/i);
  assert.match(headers, /api-version: 1\.50/i);
  assert.deepEqual(readFrames(body), [
    { stream: 1, text: 'out\n' },
    { stream: 2, text: 'err\n' },
  ]);
  assert.deepEqual(asked, [{ stdin: true, stdout: true, stderr: true, logs: false, stream: true }]);
});

test('attach names the raw stream for a terminal and for API before 1.42', async (t) => {
  const old = await serveScript(t, 'echo x');
  old.client.send(attachLine.replace('1.50', '1.41'), ...upgrade, '', '');
  const answer = await old.client.answer();
  assert.match(answer.headers, /application\/vnd\.docker\.raw-stream/);
  assert.deepEqual(readFrames(answer.body), [{ stream: 1, text: 'x\n' }]);

  const terminal = await serveScript(t, 'echo x', { tty: true });
  terminal.client.send(attachLine, ...upgrade, '', '');
  assert.equal((await terminal.client.answer()).body.toString(), 'x\n');
});

test('attach loses no byte sent with the request, and output goes on after the end of input', async (t) => {
  const { client } = await serveScript(t, 'cat; sleep 0.1; echo after; echo late >&2', { tty: true });
  client.send(attachLine, ...upgrade, 'Content-Length: 0', '', 'early,');
  await client.until('early,');
  client.socket.end('more\n');
  const { body } = await client.answer();
  assert.match(body.toString(), /^early,more\n(after\nlate|late\nafter)\n$/);
});

test('attach carries large output to a slow client whole', async (t) => {
  const { client } = await serveScript(t, 'head -c 8000000 /dev/zero');
  client.socket.pause();
  client.send(attachLine, ...upgrade, '', '');
  await new Promise((resolve) => setTimeout(resolve, 200));
  client.socket.resume();
  const frames = readFrames((await client.answer()).body);
  assert.equal(
    frames.reduce((sum, { text }) => sum + text.length, 0),
    8_000_000,
  );
});

test('closeConnection() gives a client all its time to take the rest, then some to close its half', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-hijack-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const server = createServer({ allowHalfOpen: true }).listen(join(directory, 'socket'));
  t.after(() => server.close());
  await once(server, 'listening');
  const client = createConnection({ path: join(directory, 'socket'), allowHalfOpen: true });
  t.after(() => client.destroy());
  const [socket] = (await once(server, 'connection')) as [Socket];

  t.mock.timers.enable({ apis: ['setTimeout'] });
  socket.write(Buffer.alloc(8_000_000));
  const finished = once(socket, 'finish');
  const closed = new AbortController().signal;
  closeConnection({ input: socket, output: socket, raw: true, closed, socket });
  t.mock.timers.tick(60_000);
  assert.equal((await buffer(client)).length, 8_000_000);

  await finished;
  const gone = once(socket, 'close');
  t.mock.timers.tick(5_000);
  await gone;
});

test('attach lets the process go when the client disappears', async (t) => {
  const disposed = Promise.withResolvers<void>();
  const session = shellSession('while echo x; do sleep 0.02; done');
  const { path } = await serve(t, {
    containers: {
      attach: async () => ({
        ...session,
        [Symbol.asyncDispose]: async () => {
          await session[Symbol.asyncDispose]();
          disposed.resolve();
        },
      }),
    },
  });
  const client = new RawClient(path);
  client.send(attachLine, ...upgrade, '', '');
  await client.until('101 UPGRADED');
  client.socket.destroy();
  await disposed.promise;
});

test('attach leaves on the detach keys and passes a lone ctrl-p on', async (t) => {
  const { client } = await serveScript(t, 'cat', { tty: true });
  client.send(attachLine, ...upgrade, '', '');
  await client.until('101 UPGRADED');
  client.socket.write('a\u0010b');
  await client.until('a\u0010b');
  client.socket.write('c\u0010\u0011');
  const { body } = await client.answer();
  assert.match(body.toString('latin1'), /^a\u0010bc?$/);
});

test('attach without upgrade answers 200 and takes the body as input', async (t) => {
  const { client } = await serveScript(t, 'cat; echo end');
  client.send(attachLine, 'Host: d', 'Transfer-Encoding: chunked', '', '5', 'hello', '');
  await client.until('hello');
  client.send('0', '', '');
  const { status, headers, body } = await client.answer();
  assert.equal(status, 200);
  assert.match(headers, /application\/vnd\.docker\.raw-stream/);
  assert.doesNotMatch(headers, /transfer-encoding/i);
  assert.equal(
    readFrames(body)
      .map(({ text }) => text)
      .join(''),
    'helloend\n',
  );
});

test('exec start reads its body before the upgrade and keeps what follows as input', async (t) => {
  const { client } = await serveScript(t, 'cat');
  const body = '{"Detach":false,"Tty":false}';
  client.send(
    'POST /v1.50/exec/e/start HTTP/1.1',
    ...upgrade,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    '',
    body.slice(0, 5),
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.socket.end(`${body.slice(5)}typed`);
  const answer = await client.answer();
  assert.equal(answer.status, 101);
  assert.deepEqual(readFrames(answer.body), [{ stream: 1, text: 'typed' }]);
});

test('exec start sends its headers before the command runs', async (t) => {
  const seen = Promise.withResolvers<void>();
  const { path } = await serve(t, {
    containers: {
      execInspect: () => exec,
      execStart: async (_id, { onRun }) => {
        onRun?.();
        await seen.promise;
        return undefined;
      },
    },
  });
  const client = new RawClient(path);
  client.send(
    'POST /exec/e/start HTTP/1.1',
    ...upgrade,
    'Content-Type: application/json',
    'Content-Length: 2',
    '',
    '{}',
  );
  await client.until('\r\n\r\n');
  seen.resolve();
  client.socket.end();
  assert.equal((await client.answer()).status, 101);
});

test('exec start tells a command that cannot run in the stream, a missing exec by status', async (t) => {
  const { path } = await serve(t, {
    containers: {
      execInspect: (id) => {
        if (id !== 'e') throw new EngineError('notFound', `No such exec instance: ${id}`);
        return exec;
      },
      execStart: async () => {
        throw new EngineError('invalidArgument', 'exec failed: executable file not found in $PATH');
      },
    },
  });
  const send = async (id: string) => {
    const client = new RawClient(path);
    client.send(
      `POST /exec/${id}/start HTTP/1.1`,
      ...upgrade,
      'Content-Type: application/json',
      'Content-Length: 2',
      '',
      '{}',
    );
    client.socket.end();
    return client.answer();
  };
  const failed = await send('e');
  assert.equal(failed.status, 101);
  assert.deepEqual(readFrames(failed.body), [
    { stream: 1, text: 'exec failed: executable file not found in $PATH\r\n' },
  ]);
  const missing = await send('f');
  assert.deepEqual(
    [missing.status, missing.body.toString()],
    [404, '{"message":"No such exec instance: f"}'],
  );
});
