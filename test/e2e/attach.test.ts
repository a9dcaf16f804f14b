import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ignoreClosed } from '../../src/lib/ignore-closed.ts';
import { gantryPath, startDaemon } from '../support/daemon.ts';
import { callEngine } from '../support/engine-call.ts';
import { untilNow } from '../support/event-times.ts';
import { RawClient } from '../support/http-server.ts';
import { until } from '../support/until.ts';

const engine = await startDaemon({ after });

const docker = (...args: string[]) => engine.ok(args);
const echoing = 'echo ready; while read line; do echo "got $line"; [ "$line" = end ] && exit 5; done';
/** Holds a container's script up until `go` says that its clients are there. */
const gate = 'until [ -e /go ]; do sleep 0.1; done';
const waitMs = 60_000;
const isRunning = (name: string) => docker('inspect', '-f', '{{.State.Running}}', name) === 'true';

/** The programs that a client may be: docker's and ours. */
const clis = ['docker', gantryPath];

/** A client that goes on, with its own terminal if asked for, and what it has written so far. */
class Client {
  readonly child: ChildProcess;
  #output = '';
  #hasEnded = false;

  constructor(args: readonly string[], { terminal = false, cli = 'docker', host = engine.host } = {}) {
    const words = [cli, '-H', host, ...args];
    const [program = '', ...rest] = terminal
      ? ['script', '-qefc', `stty rows 40 cols 100; exec ${words.map(quoted).join(' ')}`, '/dev/null']
      : words;
    const env = { ...process.env, DOCKER_CONFIG: join(engine.directory, 'docker-config'), TERM: 'xterm' };
    this.child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'], env });
    this.child.once('close', () => {
      this.#hasEnded = true;
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
        this.child.emit('more');
      });
    }
  }

  send(text: string): void {
    this.child.stdin?.write(text);
  }

  async until(text: string): Promise<string> {
    const signal = AbortSignal.timeout(waitMs);
    while (!this.#output.includes(text)) {
      assert.ok(!this.#hasEnded, `ended after: ${this.#output}`);
      await Promise.race([once(this.child, 'more', { signal }), once(this.child, 'close', { signal })]);
    }
    return this.#output;
  }

  async ended(): Promise<{ readonly code: number | null; readonly output: string }> {
    if (!this.#hasEnded) await once(this.child, 'close', { signal: AbortSignal.timeout(waitMs) });
    return { code: this.child.exitCode, output: this.#output };
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Opens the gate of a container once so many clients have attached to it. */
async function go(name: string, clients: number): Promise<void> {
  const attached = () => {
    const filters = ['--filter', `container=${name}`, '--filter', 'event=attach'];
    return docker('events', '--since', '0', '--until', untilNow(), ...filters)
      .split('\n')
      .filter(Boolean).length;
  };
  await until(
    () => attached() >= clients,
    () => `${attached()} of ${clients} clients attached`,
    60,
  );
  docker('exec', name, 'touch', '/go');
}

test('several clients see all output, and each may send', async () => {
  docker('run', '-di', '--name', 'shared', 'base:1', 'sh', '-c', `${gate}; echo begin; ${echoing}`);
  const clients = [1, 2, 3].map(() => new Client(['attach', 'shared']));
  await go('shared', clients.length);
  await Promise.all(clients.map((client) => client.until('begin\nready\n')));
  clients[0]?.send('one\n');
  await Promise.all(clients.map((client) => client.until('got one\n')));
  clients[2]?.send('end\n');
  for (const client of clients) {
    const { code, output } = await client.ended();
    assert.deepEqual([code, output], [5, 'begin\nready\ngot one\ngot end\n']);
  }
  docker('rm', 'shared');
});

for (const [what, pauseMs] of [
  ['whose terminal hangs', Infinity],
  ['that reads slowly', 500],
] as const) {
  test(`a client ${what} does not hold up the container, and gets all in the end`, async () => {
    const args = ['-H', engine.host, 'run', '--name', 'chatty', 'base:1', 'seq', '1500000'];
    const client = spawn('docker', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(client, 'close');
    let ended = false;
    const read = readAll(client.stdout, () => (ended ? 0 : pauseMs));
    const state = ['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'chatty'];
    for (const deadline = Date.now() + waitMs; engine.docker(state).stdout !== 'exited 0\n'; await sleep(200))
      assert.ok(Date.now() < deadline, 'it waits for the client');
    assert.equal(client.exitCode, null, 'it has yet to read its output');
    ended = true;
    const { bytes, last } = await read;
    await closed;
    assert.equal(bytes, 10_888_896);
    assert.match(last, /\n1500000\n$/);
    docker('rm', 'chatty');
  });
}

test('attach --no-stdin sends nothing and ends with the container', async () => {
  docker('run', '-di', '--name', 'deaf', 'base:1', 'sh', '-c', `${gate}; ${echoing}`);
  const silent = new Client(['attach', '--no-stdin', 'deaf']);
  const talking = new Client(['attach', 'deaf']);
  await go('deaf', 2);
  await Promise.all([silent.until('ready\n'), talking.until('ready\n')]);
  silent.send('unheard\n');
  talking.send('end\n');
  assert.deepEqual(await silent.ended(), { code: 5, output: 'ready\ngot end\n' });
  await talking.ended();
  docker('rm', 'deaf');
});

test('attach --no-stdin that leaves does not end the input of run -i', async () => {
  const script = `${gate}; ${echoing}`;
  const talking = new Client(['run', '-i', '--rm', '--name', 'heard', 'base:1', 'sh', '-c', script]);
  await until(
    () => engine.docker(['exec', 'heard', 'true']).code === 0,
    () => 'it does not start',
  );
  const listening = new Client(['attach', '--no-stdin', 'heard']);
  await go('heard', 2);
  await Promise.all([talking.until('ready\n'), listening.until('ready\n')]);
  listening.child.kill('SIGKILL');
  await listening.ended();
  // Output that nobody takes is what tells that the client has gone.
  talking.send('one\n');
  await talking.until('got one\n');
  await sleep(500);
  talking.send('end\n');
  assert.deepEqual(await talking.ended(), { code: 5, output: 'ready\ngot one\ngot end\n' });
});

test('signals reach the container, unless with --sig-proxy=false', async () => {
  const script = `trap "exit 7" TERM; ${gate}; echo ready; while :; do sleep 0.1; done`;
  docker('run', '-d', '--name', 'signalled', 'base:1', 'sh', '-c', script);
  const apart = new Client(['attach', '--sig-proxy=false', 'signalled']);
  const proxy = new Client(['attach', 'signalled']);
  await go('signalled', 2);
  await Promise.all([apart.until('ready\n'), proxy.until('ready\n')]);
  apart.child.kill('SIGTERM');
  await sleep(500);
  assert.ok(isRunning('signalled'));
  apart.child.kill('SIGKILL');
  proxy.child.kill('SIGTERM');
  assert.equal((await proxy.ended()).code, 7);
  assert.equal(docker('wait', 'signalled'), '7');
  docker('rm', 'signalled');
});

test('signals reach the container of run -t', async () => {
  const script = 'trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done';
  const args = ['run', '-t', '--rm', '--name', 'signalled', 'base:1', 'sh', '-c', script];
  for (const cli of clis) {
    const client = new Client(args, { cli });
    await client.until('ready');
    await until(
      () => isRunning('signalled'),
      () => 'it does not start',
    );
    client.child.kill('SIGTERM');
    assert.equal((await client.ended()).code, 7);
  }
});

test('detach keys leave run, attach and exec, and what runs goes on', async () => {
  for (const cli of clis) {
    const started = new Client(['run', '-it', '--name', 'left', 'base:1', 'sh', '-c', echoing], {
      terminal: true,
      cli,
    });
    await started.until('ready\r\n');
    started.send('\x10\x11');
    assert.equal((await started.ended()).code, 0);
    assert.ok(isRunning('left'));
    const own = new Client(['attach', '--detach-keys', 'ctrl-x,x', 'left'], { terminal: true, cli });
    own.send('hello\r');
    await own.until('got hello\r\n');
    own.send('\x18x');
    const attached = await own.ended();
    assert.match(attached.output, /read escape sequence/);
    assert.equal(attached.code, 1);
    assert.ok(isRunning('left'));
    const exec = new Client(['exec', '-it', 'left', 'sh', '-c', `${echoing} #inner`], {
      terminal: true,
      cli,
    });
    await exec.until('ready\r\n');
    exec.send('\x10\x11');
    assert.equal((await exec.ended()).code, 1);
    assert.match(docker('top', 'left'), /#inner/);
    docker('rm', '-f', 'left');
  }
});

test('detach keys count that are typed so slowly that the program gets the first', async () => {
  const key = '[ "$(dd bs=1 count=1 2>/dev/null)" = "$(printf "\\020")" ] && echo got it';
  const script = `stty raw -echo; echo ready; ${key}; sleep 1000`;
  const client = new Client(['run', '-it', '--name', 'slow', 'base:1', 'sh', '-c', script], {
    terminal: true,
    cli: gantryPath,
  });
  await client.until('ready');
  client.send('\x10');
  await client.until('got it');
  client.send('\x11');
  assert.equal((await client.ended()).code, 0);
  assert.ok(isRunning('slow'));
  docker('rm', '-f', 'slow');
});

test('a program draws anew for a client that comes back', async () => {
  const script = 'trap "echo drawn" WINCH; while :; do sleep 1000 & wait; done';
  for (const cli of clis) {
    docker('run', '-dit', '--name', 'drawn', 'base:1', 'sh', '-c', script);
    for (const _time of [1, 2]) {
      const client = new Client(['attach', 'drawn'], { terminal: true, cli });
      await client.until('drawn');
      client.send('\x10\x11');
      await client.ended();
    }
    docker('rm', '-f', 'drawn');
  }
});

test('a container that ends before a client has attached to it is refused', async (t) => {
  const path = join(engine.directory, 'between.sock');
  const between = createServer((near) => {
    const far = connect(engine.host.slice('unix://'.length));
    for (const socket of [near, far]) socket.on('error', ignoreClosed);
    near.on('data', (data) => {
      if (/^POST \S*\/attach\?/.test(data.toString())) docker('stop', '-t', '0', 'ended');
      far.write(data);
    });
    near.on('close', () => far.destroy());
    far.pipe(near);
  });
  between.listen(path);
  t.after(() => between.close());
  for (const cli of clis) {
    docker('run', '-d', '--name', 'ended', 'base:1', 'sleep', '1000');
    const client = new Client(['attach', 'ended'], { cli, host: `unix://${path}` });
    const { code, output } = await client.ended();
    assert.equal(code, 1);
    assert.match(output, /You cannot attach to a stopped container, start it first/);
    docker('rm', 'ended');
  }
});

test('an exec whose client is cut off has its input ended', async () => {
  docker('run', '-d', '--name', 'cut', 'base:1', 'sleep', '1000');
  const script = 'until [ -e /go ]; do echo waiting; sleep 0.1; done; cat >/dev/null; touch /eof';
  const client = new Client(['exec', '-i', 'cut', 'sh', '-c', script]);
  await client.until('waiting');
  // More than fits on the way: the daemon stands before a full pipe when the client goes.
  client.child.stdin?.on('error', ignoreClosed);
  client.send('x'.repeat(8 << 20));
  await sleep(500);
  client.child.kill('SIGKILL');
  await client.ended();
  docker('exec', 'cut', 'touch', '/go');
  await until(
    () => engine.docker(['exec', 'cut', 'test', '-e', '/eof']).code === 0,
    () => 'the process still waits for input',
  );
  docker('rm', '-f', 'cut');
});

/** A connection to a terminal of the engine's, which sees the detach keys itself. */
async function terminal(path: string, body = ''): Promise<RawClient> {
  const client = new RawClient(engine.host.slice('unix://'.length));
  const head = ['Host: docker', 'Connection: Upgrade', 'Upgrade: tcp', 'Content-Type: application/json'];
  client.send(`POST /v1.50${path} HTTP/1.1`, ...head, `Content-Length: ${body.length}`, '', body);
  await client.until('101 UPGRADED');
  return client;
}

test('leaving by the detach keys is an event', async () => {
  docker('run', '-dit', '--name', 'left', 'base:1', 'cat');
  const attached = await terminal('/containers/left/attach?stream=1&stdin=1&stdout=1');
  attached.socket.write('\x10\x11');
  await attached.answer();
  const request = { Tty: true, AttachStdin: true, AttachStdout: true, Cmd: ['cat'] };
  const made = await callEngine(engine.host, {
    method: 'POST',
    path: '/containers/left/exec',
    body: request,
  });
  const { Id } = JSON.parse(made.body) as { Id: string };
  const exec = await terminal(`/exec/${Id}/start`, JSON.stringify({ Tty: true }));
  exec.socket.write('\x10\x11');
  await exec.answer();
  const filters = ['--filter', 'event=detach', '--filter', 'event=exec_detach'];
  const format = ['--format', '{{.Action}} {{.Actor.Attributes.execID}}'];
  const events = docker('events', '--since', '0', '--until', untilNow(), ...filters, ...format).split('\n');
  assert.deepEqual(events.slice(-2), ['detach <no value>', `exec_detach ${Id}`]);
  docker('rm', '-f', 'left');
});

test('exec -t has the size of the client, and follows it', async () => {
  docker('run', '-d', '--name', 'sized', 'base:1', 'sleep', '1000');
  // The docker CLI before 23 tells the size only once the command runs.
  const settled = 'until stty size 2>/dev/null | grep [1-9]; do sleep 0.1; done';
  const at = new Client(['exec', '-it', 'sized', 'sh', '-c', settled], { terminal: true });
  assert.match((await at.ended()).output, /^40 100\r$/m);
  const script = 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done';
  const body = { Tty: true, AttachStdout: true, Cmd: ['sh', '-c', script] };
  const made = await callEngine(engine.host, { method: 'POST', path: '/containers/sized/exec', body });
  const { Id } = JSON.parse(made.body) as { Id: string };
  const resize = (size: string) =>
    callEngine(engine.host, { method: 'POST', path: `/exec/${Id}/resize?${size}` });
  const early = resize('h=33&w=99');
  const raw = new RawClient(engine.host.slice('unix://'.length));
  const start = JSON.stringify({ Tty: true });
  raw.send(
    `POST /v1.50/exec/${Id}/start HTTP/1.1`,
    'Host: docker',
    'Connection: Upgrade',
    'Upgrade: tcp',
    'Content-Type: application/json',
    `Content-Length: ${start.length}`,
    '',
    start,
  );
  await raw.until('ready');
  assert.equal((await early).status, 200, 'one that came before the start waits for it');
  assert.equal((await resize('h=44&w=123')).status, 200);
  await raw.until('44 123');
  raw.socket.destroy();
  docker('rm', '-f', 'sized');
});

/** Reads a stream a chunk at a time, with a pause of so many milliseconds before each as it is told at the time. */
async function readAll(stream: Readable, pauseMs: () => number): Promise<{ bytes: number; last: string }> {
  let bytes = 0;
  let last = '';
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    for (const since = Date.now(); Date.now() - since < pauseMs(); ) await sleep(20);
    bytes += chunk.length;
    last = (last + chunk.toString()).slice(-20);
  }
  return { bytes, last };
}
