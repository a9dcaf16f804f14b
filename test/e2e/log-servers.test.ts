import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { FluentServer } from '@fluent-org/logger';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';
import { serveStream } from '../support/syslog-server.ts';
import { until } from '../support/until.ts';

let daemon: TestDaemon;
before(async () => {
  daemon = await openDaemon();
});
afterEach(() => {
  for (const id of daemon.ok(['ps', '-aq']).split('\n')) if (id !== '') daemon.docker(['rm', '-f', id]);
});
after(() => daemon.destroy());

test('syslog over UDP gets each line as a message, and clients still read the log', async () => {
  const server = createSocket('udp4');
  const messages: string[] = [];
  server.on('message', (bytes) => messages.push(bytes.toString('latin1')));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const flags = [
    '--log-driver',
    'syslog',
    '--log-opt',
    `syslog-address=udp://127.0.0.1:${server.address().port}`,
  ];
  daemon.ok([
    'run',
    '--name',
    'app',
    ...flags,
    'base:1',
    'sh',
    '-c',
    'echo out; sleep 0.2; printf half; sleep 0.2; echo " line"; echo err >&2',
  ]);
  await until(
    () => messages.length === 3,
    () => messages.join(''),
  );
  const tag = daemon.ok(['inspect', '-f', '{{.Id}}', 'app']).slice(0, 12);
  const pattern = new RegExp(`^<30>\\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d ${tag}\\[\\d+\\]: out\\n$`);
  assert.match(messages[0] ?? '', pattern);
  assert.match(messages[1] ?? '', /^<30>.*: half line\n$/);
  assert.match(messages[2] ?? '', /^<27>.*: err\n$/);
  assert.equal(daemon.ok(['logs', 'app']), 'out\nhalf line');
  assert.equal(daemon.docker(['logs', 'app']).stderr, 'err\n');
  // The last lines of one that is removed at its end go out first.
  const format = [
    '--log-opt',
    'syslog-format=rfc5424micro',
    '--log-opt',
    'syslog-facility=local1',
    '--log-opt',
    'tag=T{{.Name}}',
  ];
  daemon.ok(['run', '--rm', '--name', 'short', ...flags, ...format, 'base:1', 'echo', 'bye']);
  await until(
    () => messages.length === 4,
    () => messages.join(''),
  );
  assert.match(
    messages[3] ?? '',
    /^<142>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ Tshort \d+ Tshort - bye\n$/,
  );
  server.close();
});

test('nothing is lost while the server or the daemon is away', async () => {
  const first = await serveStream({ port: 0 });
  const { port } = first;
  const servers = [first];
  const lines = () => servers.flatMap((server) => server.text().split('\n').slice(0, -1));
  const flags = ['--log-driver', 'syslog', '--log-opt', `syslog-address=tcp://127.0.0.1:${port}`];
  const script = 'i=0; while [ ! -e /stop ]; do echo "<$i>"; i=$((i+1)); sleep 0.02; done; echo "<end>"';
  daemon.ok(['run', '-d', '--name', 'app', ...flags, 'base:1', 'sh', '-c', script]);
  await until(
    () => lines().length > 20,
    () => `${lines().length} lines`,
  );
  await daemon.end('SIGKILL');
  await delay(300);
  await daemon.start();
  const before = lines().length;
  await until(
    () => lines().length > before + 20,
    () => `${lines().length} lines`,
  );
  await daemon.end('SIGTERM');
  await first.close();
  await daemon.start();
  // The container does not wait for it.
  await delay(500);
  daemon.ok(['exec', 'app', 'touch', '/stop']);
  daemon.ok(['wait', 'app']);
  await daemon.end('SIGKILL');
  servers.push(await serveStream({ port }));
  await daemon.start();
  const contents = () => lines().map((line) => /<(\w+)>$/.exec(line)?.[1] ?? '');
  await until(
    () => contents().includes('end'),
    () => lines().slice(-3).join('\n'),
  );
  const expected = daemon.ok(['logs', 'app']).replace(/[<>]/g, '').split('\n');
  assert.deepEqual([...new Set(contents())], expected);
  await servers.at(-1)?.close();
});

test('fluentd gets records with the container, its attributes and any bytes', async () => {
  const server = new FluentServer({ listenOptions: { port: 0, host: '127.0.0.1' } });
  const entries: { tag: string; record: Record<string, unknown> }[] = [];
  server.on('entry', (tag: string, _time: unknown, record: Record<string, unknown>) => {
    entries.push({ tag, record });
  });
  await server.listen();
  const options = [
    `fluentd-address=127.0.0.1:${server.port ?? 0}`,
    'fluentd-request-ack=true',
    'tag=app.{{.Name}}',
    'labels=team',
  ];
  daemon.ok(
    [
      'run',
      '--name',
      'app',
      '--label',
      'team=blue',
      '--log-driver',
      'fluentd',
      ...options.flatMap((option) => ['--log-opt', option]),
    ].concat([
      ...[
        'base:1',
        'sh',
        '-c',
        'echo hello; printf "\\\\377\\\\000\\\\n"; head -c 20000 /dev/zero | tr "\\\\000" x; echo',
      ],
    ]),
  );
  await until(
    () => entries.length === 4,
    () => JSON.stringify(entries).slice(0, 500),
  );
  const id = daemon.ok(['inspect', '-f', '{{.Id}}', 'app']);
  const common = { container_id: id, container_name: '/app', source: 'stdout', team: 'blue' };
  assert.deepEqual(entries[0], { tag: 'app.app', record: { ...common, log: 'hello' } });
  assert.deepEqual([...(entries[1]?.record['log'] as Uint8Array)], [0xff, 0]);
  const pieces = entries.slice(2).map(({ record }) => record);
  assert.equal(pieces.map(({ log }) => log).join(''), 'x'.repeat(20_000));
  assert.deepEqual(
    pieces.map((record) => [record['partial_message'], record['partial_ordinal'], record['partial_last']]),
    [
      ['true', '1', 'false'],
      ['true', '2', 'true'],
    ],
  );
  await server.close();
});

test('fluentd: a server that goes away and comes back, the daemon too, and logs all the while', async () => {
  const lines: string[] = [];
  const open = async (port: number) => {
    const server = new FluentServer({ listenOptions: { port, host: '127.0.0.1' } });
    server.on('entry', (_tag: string, _time: unknown, record: Record<string, unknown>) => {
      lines.push(String(record['log']));
    });
    await server.listen();
    return server;
  };
  let server = await open(0);
  const port = server.port ?? 0;
  const options = [`fluentd-address=127.0.0.1:${port}`, 'fluentd-request-ack=true'];
  const script =
    'for n in 1 2 3 4; do while [ ! -e /$n ]; do sleep 0.05; done; echo line $n; done; sleep 100';
  daemon.ok(
    ['run', '-d', '--name', 'app', '--log-driver', 'fluentd'].concat(
      options.flatMap((option) => ['--log-opt', option]),
      ['base:1', 'sh', '-c', script],
    ),
  );
  const say = async (number: number) => {
    daemon.ok(['exec', 'app', 'touch', `/${number}`]);
    await until(
      () => daemon.ok(['logs', 'app']).endsWith(`line ${number}`),
      () => daemon.ok(['logs', 'app']),
    );
  };
  const arrived = (number: number) =>
    until(
      () => lines.includes(`line ${number}`),
      () => `${lines.join(', ')}\n${daemon.log()}`,
    );
  await say(1);
  await arrived(1);
  await server.close();
  await say(2);
  server = await open(port);
  await arrived(2);
  await daemon.end('SIGKILL');
  await server.close();
  await daemon.start();
  await say(3);
  server = await open(port);
  await arrived(3);
  await say(4);
  await arrived(4);
  assert.deepEqual([...new Set(lines)], ['line 1', 'line 2', 'line 3', 'line 4']);
  assert.equal(daemon.ok(['logs', '--tail', '2', 'app']), 'line 3\nline 4');
  daemon.ok(['rm', '-f', 'app']);
  await server.close();
});
