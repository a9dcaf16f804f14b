import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { FluentServer } from '@fluent-org/logger';
import { type Certificate, makeAuthority } from '../support/certificates.ts';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';
import { temporaryDirectory } from '../support/files.ts';
import { type SyslogServer, serveDatagrams, serveStream } from '../support/syslog-server.ts';
import { until } from '../support/until.ts';

// The ways to log servers beside plain TCP and UDP (log-servers.test.ts): TLS and sockets of the file system.

const files = temporaryDirectory({ after });
const authority = makeAuthority(join(files, 'known'));
const server = authority.certificateFor('server', 'DNS:localhost,IP:127.0.0.1');
const client = authority.certificateFor('client', 'DNS:client');
const stranger = makeAuthority(join(files, 'strange')).certificateFor('server', 'DNS:localhost,IP:127.0.0.1');

let daemon: TestDaemon;
before(async () => {
  // To the daemon the authority is one of the system's.
  process.env['SSL_CERT_FILE'] = authority.ca;
  daemon = await openDaemon();
});
afterEach(() => {
  for (const id of daemon.ok(['ps', '-aq']).split('\n')) if (id !== '') daemon.docker(['rm', '-f', id]);
});
after(() => daemon.destroy());

const tlsOf = ({ cert, key }: Certificate) => ({ cert: readFileSync(cert), key: readFileSync(key) });

const withOptions = (driver: string, options: readonly string[]) => [
  ...['--log-driver', driver, '--network', 'none'],
  ...options.flatMap((option) => ['--log-opt', option]),
];

function logs(options: readonly string[], ...command: string[]): void {
  daemon.ok(['run', '--name', 'app', ...withOptions('syslog', options), 'base:1', ...command]);
  assert.equal(daemon.ok(['logs', 'app']), 'out');
}

const say = ['sh', '-c', 'echo out; sleep 0.1; echo err >&2'];

function arrived(taken: SyslogServer, text: string): Promise<void> {
  return until(
    () => taken.text().includes(text),
    () => `${taken.text()}\n${daemon.log()}`,
  );
}

test('syslog over TLS: messages with their lengths, to a server that knows its clients', async () => {
  const taken = await serveStream(
    { port: 0 },
    { ...tlsOf(server), ca: readFileSync(authority.ca), requestCert: true, rejectUnauthorized: true },
  );
  const options = [
    `syslog-address=tcp+tls://127.0.0.1:${taken.port}`,
    'syslog-format=rfc5424',
    `syslog-tls-ca-cert=${authority.ca}`,
    `syslog-tls-cert=${client.cert}`,
    `syslog-tls-key=${client.key}`,
  ];
  logs(options, ...say);
  await arrived(taken, 'err\n');
  await taken.close();
  const messages: string[] = [];
  for (let rest = taken.text(); rest !== ''; ) {
    const [head = '', size = ''] = /^(\d+) /.exec(rest) ?? [];
    messages.push(rest.slice(head.length, head.length + Number(size)));
    rest = rest.slice(head.length + Number(size));
  }
  const stamp = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ';
  assert.match(messages[0] ?? '', new RegExp(`^<30>1 ${stamp} \\S+ (\\w{12}) \\d+ \\1 - out\\n$`));
  assert.match(messages[1] ?? '', new RegExp(`^<27>1 ${stamp} \\S+ (\\w{12}) \\d+ \\1 - err\\n$`));
  assert.equal(messages.length, 2);
});

test('syslog over TLS: other formats have no lengths; the system’s authorities count, any server if told so', async () => {
  for (const options of [[], [`syslog-tls-ca-cert=${stranger.cert}`], ['syslog-tls-skip-verify=true']]) {
    const skips = options[0]?.startsWith('syslog-tls-skip') === true;
    const taken = await serveStream({ port: 0 }, tlsOf(skips ? stranger : server));
    const address = `syslog-address=tcp+tls://localhost:${taken.port}`;
    logs([address, 'syslog-format=rfc3164', ...options], ...say);
    await arrived(taken, 'err\n');
    assert.match(taken.text(), /^<30>\w{3} [ \d]\d [\d:]{8} \S+ \w{12}\[\d+\]: out\n<27>.*: err\n$/);
    await taken.close();
    daemon.ok(['rm', 'app']);
  }
});

test('syslog over TLS: no line goes to a server that is not who it should be, or that refuses us', async () => {
  const strange = await serveStream({ port: 0 }, tlsOf(stranger));
  logs([`syslog-address=tcp+tls://127.0.0.1:${strange.port}`], ...say);
  await until(
    () => /self-signed|unable to/.test(daemon.log()),
    () => daemon.log(),
  );
  assert.equal(strange.text(), '');
  await strange.close();
  daemon.ok(['rm', 'app']);
  // With TLS 1.3 a server looks at our certificate after the handshake is over for us.
  const ca = readFileSync(authority.ca);
  const refusing = await serveStream({ port: 0 }, { ...tlsOf(server), ca, requestCert: true });
  logs([`syslog-address=tcp+tls://127.0.0.1:${refusing.port}`], ...say);
  await until(
    () => /certificate required/.test(daemon.log()),
    () => daemon.log(),
  );
  await refusing.close();
  const kind = await serveStream({ port: refusing.port }, tlsOf(server));
  await arrived(kind, 'err\n');
  assert.match(kind.text(), /: out\n/);
  await kind.close();
});

test('a start with files for TLS that cannot be used is refused', () => {
  const cases: [readonly string[], string][] = [
    [['ca-cert=/nonexistent'], 'could not read CA certificate "/nonexistent": open /nonexistent: no such'],
    [[`ca-cert=${client.key}`], `failed to append certificates from PEM file: "${client.key}"`],
    [[`cert=${client.cert}`], 'could not load X509 key pair: open : no such file or directory'],
    [[`cert=${client.cert}`, `key=${client.cert}`], 'X509 key pair: no valid private key found'],
    [[`cert=${client.cert}`, `key=${server.key}`], 'tls: private key does not match public key'],
  ];
  for (const [options, words] of cases) {
    const tls = options.map((option) => `syslog-tls-${option}`);
    const flags = withOptions('syslog', ['syslog-address=tcp+tls://127.0.0.1:6514', ...tls]);
    const { code, stderr } = daemon.docker(['run', '--rm', ...flags, 'base:1', 'true']);
    assert.notEqual(code, 0);
    assert.ok(stderr.includes('failed to initialize logging driver: ') && stderr.includes(words), stderr);
  }
});

test('syslog over a socket of the file system, as a stream and in datagrams', async () => {
  const stream = await serveStream({ path: join(files, 'stream') });
  logs([`syslog-address=unix://${join(files, 'stream')}`, 'tag={{.Name}}'], ...say);
  await arrived(stream, 'err\n');
  assert.match(stream.text(), /^<30>\w{3} [ \d]\d [\d:]{8} app\[\d+\]: out\n<27>.* app\[\d+\]: err\n$/);
  await stream.close();
  daemon.ok(['rm', 'app']);
  const datagrams = await serveDatagrams(join(files, 'datagrams'));
  logs([`syslog-address=unixgram://${join(files, 'datagrams')}`, 'syslog-format=rfc5424micro'], ...say);
  await arrived(datagrams, 'err\n');
  assert.match(datagrams.text(), /^<30>1 \S+\.\d{6}Z \S+ \w{12} \d+ \w{12} - out\n\0<27>1 .* - err\n\0$/);
  await datagrams.close();
});

test('a datagram server that comes back gets what was written meanwhile', async () => {
  const path = join(files, 'again');
  let datagrams = await serveDatagrams(path);
  const script =
    'echo one; while [ ! -e /go ]; do sleep 0.1; done; i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; sleep 100';
  const options = withOptions('syslog', [`syslog-address=unixgram://${path}`]);
  daemon.ok(['run', '-d', '--name', 'app', ...options, 'base:1', 'sh', '-c', script]);
  await arrived(datagrams, ': one\n');
  await datagrams.close();
  daemon.ok(['exec', 'app', 'touch', '/go']);
  await until(
    () => daemon.ok(['logs', 'app']).endsWith('line 499'),
    () => 'the container did not go on',
  );
  rmSync(path);
  datagrams = await serveDatagrams(path);
  await arrived(datagrams, ': line 499\n');
  const numbers = [...datagrams.text().matchAll(/: line (\d+)\n/g)].map(([, number]) => Number(number));
  assert.deepEqual(
    [...new Set(numbers)],
    Array.from({ length: 500 }, (_, number) => number),
  );
  await datagrams.close();
});

test('fluentd over TLS, to a server whose authority the system knows', async () => {
  const entries: Record<string, unknown>[] = [];
  const fluent = new FluentServer({
    listenOptions: { port: 0, host: '127.0.0.1' },
    tlsOptions: tlsOf(server),
  });
  fluent.on('entry', (_tag: string, _time: unknown, record: Record<string, unknown>) => entries.push(record));
  await fluent.listen();
  for (const host of ['localhost', '127.0.0.1']) {
    const options = [`fluentd-address=tls://${host}:${fluent.port ?? 0}`, 'fluentd-request-ack=true'];
    daemon.ok(['run', ...withOptions('fluentd', options), 'base:1', 'echo', host]);
    await until(
      () => entries.at(-1)?.['log'] === host,
      () => daemon.log(),
    );
  }
  await fluent.close();
});

for (const [driver, option, scheme] of [
  ['syslog', 'syslog-address', 'tcp'],
  ['syslog', 'syslog-address', 'tcp+tls'],
  ['fluentd', 'fluentd-address', 'tcp'],
  ['fluentd', 'fluentd-address', 'tls'],
] as const) {
  const flood = 'yes $(head -c 1000 /dev/zero | tr "\\\\000" x) | head -c 10000000; sleep 100';
  test(`a ${driver} server (${scheme}) that takes connections and nothing more holds up no removal`, async (t) => {
    const sockets: Socket[] = [];
    const deaf = createServer({ pauseOnConnect: true }, (socket) => sockets.push(socket)).listen(
      0,
      '127.0.0.1',
    );
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      deaf.close();
    });
    await once(deaf, 'listening');
    const address = deaf.address();
    assert.ok(typeof address === 'object' && address !== null);
    const flags = withOptions(driver, [`${option}=${scheme}://127.0.0.1:${address.port}`]);
    daemon.ok(['run', '-d', '--name', 'app', ...flags, 'base:1', 'sh', '-c', flood]);
    await until(
      () => sockets.length > 0,
      () => daemon.log(),
    );
    daemon.ok(['run', '-d', '--name', 'plain', 'base:1', 'sleep', '100']);
    const removal = (name: string) => {
      const begun = performance.now();
      daemon.ok(['rm', '-f', name], { timeoutMs: 60_000 });
      return performance.now() - begun;
    };
    const moreMs = removal('app') - removal('plain');
    assert.ok(moreMs < 8000, `${moreMs} ms more than a removal takes`);
  });
}
