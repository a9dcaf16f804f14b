import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';
import { until } from '../support/until.ts';

let daemon: TestDaemon;
before(async () => {
  daemon = await openDaemon();
});
after(() => daemon.destroy());
afterEach(() => {
  for (const id of daemon.ok(['ps', '-aq']).split('\n')) if (id !== '') daemon.docker(['rm', '-f', id]);
});

const count = (lines: number, pauseEvery = 0) =>
  `i=0; while [ $i -lt ${lines} ]; do echo $i; i=$((i+1)); ${pauseEvery === 0 ? '' : `[ $((i % ${pauseEvery})) = 0 ] && sleep 0.01;`} done`;

function numbers(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, n) => `${first + n}\n`).join('');
}

function logOptions(options: Readonly<Record<string, string>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => ['--log-opt', `${name}=${value}`]);
}

/** What a docker command prints, as bytes. */
function bytesOf(args: readonly string[]): Buffer {
  const { stdout, status, stderr } = spawnSync('docker', ['-H', daemon.host, ...args], {
    maxBuffer: 256 << 20,
  });
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

/** A client that follows, and what it printed once it has ended. */
async function follow(name: string, ...flags: readonly string[]): Promise<Buffer> {
  return (await following(name, ...flags)).all;
}

/** A client that follows, and has printed something. */
async function following(
  name: string,
  ...flags: readonly string[]
): Promise<{ readonly all: Promise<Buffer> }> {
  const client = spawn('docker', ['-H', daemon.host, 'logs', '-f', ...flags, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  client.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const all = once(client, 'close').then(() => Buffer.concat(chunks));
  await Promise.race([once(client.stdout, 'data'), all]);
  return { all };
}

/** Waits until nothing is written to the logs any more. */
async function quiet(directories: readonly string[]): Promise<void> {
  const sizes = () => JSON.stringify(directories.map((directory) => logFilesIn(directory)));
  for (let before = ''; before !== sizes(); ) {
    before = sizes();
    await delay(1000);
  }
}

function logDirectory(name: string): string {
  return join(daemon.root, 'containers', daemon.ok(['inspect', '-f', '{{.Id}}', name]));
}

function logFiles(name: string): { readonly names: string[]; readonly bytes: number } {
  return logFilesIn(logDirectory(name));
}

function logFilesIn(directory: string): { readonly names: string[]; readonly bytes: number } {
  const names = readdirSync(directory).filter((file) => file.startsWith('container.log'));
  // The daemon rotates them meanwhile.
  const sizes = names.map(
    (file) => (statSync(join(directory, file), { throwIfNoEntry: false })?.blocks ?? 0) * 512,
  );
  return { names: names.sort(), bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

test('any bytes come back exactly over many rotations, compressed or not', async () => {
  const directory = join(daemon.directory, 'bytes');
  mkdirSync(directory);
  const bytes = Buffer.concat([Buffer.alloc(20_000), randomBytes(6 << 20), Buffer.from('\n\0no end')]);
  writeFileSync(join(directory, 'random'), bytes);
  const script =
    'i=0; while [ $i -lt 60 ]; do dd if=/in/random bs=110000 skip=$i count=1 2>/dev/null; sleep 0.02; i=$((i+1)); done';
  for (const options of [
    { 'max-size': '400k', 'max-file': '100' },
    { 'max-size': '400k', 'max-file': '100', compress: 'true' },
  ]) {
    daemon.ok([
      'run',
      '-d',
      '--name',
      'bytes',
      '-v',
      `${directory}:/in`,
      ...logOptions(options),
      'base:1',
      'sh',
      '-c',
      script,
    ]);
    const followed = await follow('bytes');
    assert.ok(followed.equals(bytes), 'followed');
    assert.ok(bytesOf(['logs', 'bytes']).equals(bytes), 'read at the end');
    const { names } = logFiles('bytes');
    assert.ok(names.length > 5, names.join(' '));
    if ('compress' in options)
      assert.ok(
        names.some((name) => name.endsWith('.gz')),
        names.join(' '),
      );
    daemon.ok(['rm', 'bytes']);
  }
});

test('followers go along over rotations, and tail counts over files', async () => {
  const options = logOptions({ 'max-size': '50k', 'max-file': '500' });
  daemon.ok(['run', '-d', '--name', 'many', ...options, 'base:1', 'sh', '-c', count(30_000, 500)]);
  const followers = [follow('many'), follow('many'), follow('many', '--since', '10m')];
  for (const text of await Promise.all(followers)) assert.equal(text.toString(), numbers(0, 29_999));
  const { names } = logFiles('many');
  assert.ok(names.length > 3, names.join(' '));
  for (const tail of [1, 100, 5000, 29_999, 40_000]) {
    assert.equal(
      bytesOf(['logs', '-n', String(tail), 'many']).toString(),
      numbers(Math.max(0, 30_000 - tail), 29_999),
    );
  }
  // A second run goes on in the same log.
  daemon.ok(['start', 'many']);
  daemon.ok(['wait', 'many']);
  assert.equal(bytesOf(['logs', 'many']).toString(), numbers(0, 29_999).repeat(2));
});

test('nothing is lost when the daemon is killed while the container writes and its log is rotated', async () => {
  const options = logOptions({ 'max-size': '100k', 'max-file': '2000' });
  const script =
    'i=0; while [ ! -e /stop ]; do echo $i; i=$((i+1)); [ $((i % 1000)) = 0 ] && sleep 0.05; done; echo end';
  daemon.ok(['run', '-d', '--name', 'killed', ...options, 'base:1', 'sh', '-c', script]);
  for (let kills = 0; kills < 6; kills += 1) {
    await delay(Math.random() * 300);
    await daemon.end('SIGKILL');
    await daemon.start();
  }
  daemon.ok(['exec', 'killed', 'touch', '/stop']);
  daemon.ok(['wait', 'killed']);
  const text = bytesOf(['logs', 'killed']).toString();
  const last = text.split('\n').length - 3;
  assert.ok(last > 20_000, `${last} lines`);
  assert.equal(text, `${numbers(0, last)}end\n`);
});

test('a log stays within its limits on disk, and keeps the newest', async () => {
  const options = logOptions({ 'max-size': '300k', 'max-file': '3' });
  const script =
    'i=0; while [ $i -lt 60 ]; do yes 0123456789012345678901234567890 | head -n 1600; sleep 0.1; i=$((i+1)); done; echo last; sleep 1000';
  daemon.ok([
    'run',
    '-d',
    '--name',
    'bound',
    '--stop-timeout',
    '0',
    ...options,
    'base:1',
    'sh',
    '-c',
    script,
  ]);
  let most = 0;
  await until(
    () => {
      most = Math.max(most, logFiles('bound').bytes);
      return daemon.ok(['logs', '-n', '1', 'bound']) === 'last';
    },
    'it does not end',
    300,
  );
  assert.ok(most < 3_000_000, `${most} bytes`);
  await until(
    () => {
      const { names, bytes } = logFiles('bound');
      return names.length <= 3 && bytes <= 1_000_000;
    },
    () => JSON.stringify(logFiles('bound')),
    60,
  );
  assert.match(bytesOf(['logs', 'bound']).toString(), /^(0123456789012345678901234567890\n){4000,}last\n$/);
});

test('a log that grew while there was no daemon is cut to its limits, and keeps the newest', async () => {
  const options = logOptions({ 'max-size': '300k', 'max-file': '3' });
  daemon.ok([
    'run',
    '-d',
    '--name',
    'alone',
    ...options,
    'base:1',
    'sh',
    '-c',
    `sleep 1; ${count(100_000)}; sleep 1000`,
  ]);
  daemon.ok(['run', '-d', '--name', 'ended', ...options, 'base:1', 'sh', '-c', `sleep 1; ${count(100_000)}`]);
  const directories = ['alone', 'ended'].map(logDirectory);
  await daemon.end('SIGKILL');
  await delay(1000);
  await quiet(directories);
  await daemon.start();
  for (const name of ['alone', 'ended']) {
    const bytes = () => logFiles(name).bytes;
    await until(
      () => bytes() <= 910_000,
      () => `${name}: ${bytes()} bytes`,
      60,
    );
    const text = bytesOf(['logs', name]).toString();
    const first = Number(text.slice(0, text.indexOf('\n')));
    assert.ok(first > 0 && first < 95_000, `${name} begins with ${first}`);
    assert.equal(text, numbers(first, 99_999));
  }
});

test('with max-file=1 a full file is dropped, and a follower still sees all', async () => {
  const options = logOptions({ 'max-size': '50k' });
  daemon.ok([
    'run',
    '-d',
    '--name',
    'one',
    ...options,
    'base:1',
    'sh',
    '-c',
    `echo first; until [ -e /go ]; do sleep 0.1; done; ${count(10_000, 50)}`,
  ]);
  const { all } = await following('one');
  daemon.ok(['exec', 'one', 'touch', '/go']);
  assert.equal((await all).toString(), `first\n${numbers(0, 9_999)}`);
  assert.deepEqual(logFiles('one').names, ['container.log']);
  const text = bytesOf(['logs', 'one']).toString();
  assert.ok(
    text.length > 0 && text.length < 25_000 && numbers(0, 9_999).endsWith(text),
    `${text.length} bytes`,
  );
});

test('drivers and options are checked with Docker’s words', async () => {
  const failed = (args: readonly string[]) => {
    const { code, stderr } = daemon.docker(['run', '--rm', ...args, 'base:1', 'true']);
    // The docker CLI before 28 ends the line with a full stop.
    return `${code} ${stderr.replace(/\.?\n[^]*/, '')}`;
  };
  const starting =
    'Error response from daemon: failed to create task for container: failed to initialize logging driver:';
  assert.equal(
    failed(['--log-driver', 'journald']),
    '125 docker: Error response from daemon: error looking up logging plugin journald: plugin "journald" not found',
  );
  assert.equal(
    failed(['--log-opt', 'max-files=3']),
    "125 docker: Error response from daemon: unknown log opt 'max-files' for json-file log driver",
  );
  assert.equal(failed(['--log-opt', 'max-size=10x']), `125 docker: ${starting} invalid suffix: 'x'`);
  assert.equal(
    failed(logOptions({ 'max-size': '10m', compress: 'true' })),
    `125 docker: ${starting} compress cannot be true when max-file is less than 2 or max-size is not set`,
  );
  assert.equal(
    failed(['--log-driver', 'local', '--log-opt', 'max-file=1']),
    `125 docker: ${starting} compression cannot be enabled when max file count is 1`,
  );
  assert.equal(
    failed(logOptions({ tag: '{{.Nope}}' })),
    `125 docker: ${starting} template: log-tag:1:2: executing "log-tag" at <.Nope>: can't evaluate field Nope in type *logger.Info`,
  );
  daemon.ok(['run', '--name', 'local', '--log-driver', 'local', 'base:1', 'echo', 'hello']);
  assert.equal(daemon.ok(['logs', 'local']), 'hello');
  assert.equal(daemon.ok(['inspect', '-f', '{{.LogPath}}', 'local']), '');
  daemon.ok(['run', '--name', 'plain', 'base:1', 'echo', 'hello']);
  assert.match(daemon.ok(['inspect', '-f', '{{.LogPath}}', 'plain']), /\/container\.log$/);
  daemon.ok(['run', '--name', 'none', '--log-driver', 'none', 'base:1', 'echo', 'hello']);
  assert.match(daemon.docker(['logs', 'none']).stderr, /configured logging driver does not support reading/);
});

test('details are what labels, env and tag name', () => {
  const flags = ['--label', 'a=b', '--label', 'app=x y', '-e', 'V=1', '-e', 'W=2'];
  const options = logOptions({
    labels: 'a',
    'labels-regex': '^ap',
    env: 'V,none',
    tag: '{{.Name}}/{{.ImageName}}{{index .ContainerLabels "none"}}',
  });
  daemon.ok(['run', '--name', 'detailed', ...flags, ...options, 'base:1', 'printf', 'one\\ntwo']);
  const details = 'V=1,a=b,app=x+y,tag=detailed%2Fbase%3A1 ';
  assert.equal(bytesOf(['logs', '--details', 'detailed']).toString(), `${details}one\n${details}two`);
  assert.match(bytesOf(['logs', '--details', '-t', 'detailed']).toString(), /^\S+Z V=1,a=b\S+ one\n/);
  daemon.ok(['run', '--name', 'bare', 'base:1', 'echo', 'one']);
  assert.equal(bytesOf(['logs', '--details', 'bare']).toString(), ' one\n');
});

test('removing a container removes all files of its log, also while they are rotated and compressed', async () => {
  const options = logOptions({ 'max-size': '200k', 'max-file': '100', compress: 'true' });
  const names = ['gone1', 'gone2', 'gone3', 'gone4'];
  for (const name of names)
    daemon.ok([
      'run',
      '-d',
      '--name',
      name,
      ...options,
      'base:1',
      'sh',
      '-c',
      'yes abcdefghijklmnopqrstuvwxyz',
    ]);
  await delay(1000);
  for (const name of names) daemon.ok(['rm', '-f', name]);
  await delay(200);
  assert.deepEqual(readdirSync(join(daemon.root, 'containers')), []);
  assert.doesNotMatch(daemon.log(), /cannot rotate/);
});
