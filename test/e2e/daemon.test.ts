import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineConfig } from '../../src/config/index.ts';
import { gantryPath, runCommand, startDaemon } from '../support/daemon.ts';
import { readKernel } from '../support/engine-state.ts';
import { untilNow } from '../support/event-times.ts';
import { until } from '../support/until.ts';

test('two daemons with different roots do not touch each other', async (t) => {
  const one = await startDaemon(t);
  const two = await startDaemon(t);
  one.ok(['run', '-d', '--name', 'same', 'base:1', 'sleep', '1000']);
  two.ok(['run', '-d', '--name', 'same', 'base:1', 'sleep', '1000']);
  const address = '{{.NetworkSettings.Networks.bridge.Gateway}}';
  assert.notEqual(one.ok(['inspect', '-f', address, 'same']), two.ok(['inspect', '-f', address, 'same']));
  two.ok(['rm', '-f', 'same']);
  assert.equal(one.ok(['inspect', '-f', '{{.State.Running}}', 'same']), 'true');
});

test('a second daemon on a root exits with a clear error', async (t) => {
  const engine = await startDaemon(t, { base: false });
  const gantry = join(import.meta.dirname, '../../bin/gantry');
  const second = runCommand(gantry, [
    'daemon',
    '--root',
    engine.root,
    '--host',
    `unix://${engine.directory}/other.sock`,
  ]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /is in use by the daemon with process id \d+/);
  assert.match(second.stderr, new RegExp(String(engine.pid)));
});

test('the configuration file sets what flags set, and is checked with --validate', async (t) => {
  const engine = await startDaemon(t);
  const gantry = join(import.meta.dirname, '../../bin/gantry');
  const validate = (file: string) => runCommand(gantry, ['daemon', '--config-file', file, '--validate']);
  const settings = {
    'insecure-registries': ['registry.test:5000'],
    'registry-mirrors': ['https://mirror.test/'],
    'log-driver': 'local',
    'log-opts': { 'max-size': '1m' },
    'log-level': 'warn',
  };
  writeFileSync(engine.configFile, JSON.stringify(settings));
  assert.deepEqual(validate(engine.configFile), { code: 0, stdout: 'configuration OK\n', stderr: '' });
  await engine.end('SIGTERM');
  const told = () => engine.log().split('"msg":"ready"').length - 1;
  assert.equal(told(), 1);
  await engine.start();
  assert.equal(told(), 1);
  const format = '{{.LoggingDriver}} {{.RegistryConfig.Mirrors}}';
  assert.equal(engine.ok(['info', '-f', format]), 'local [https://mirror.test/]');
  engine.ok(['create', '--name', 'logged', 'base:1', 'true']);
  assert.equal(
    engine.ok(['inspect', '-f', '{{.HostConfig.LogConfig}}', 'logged']),
    '{local map[max-size:1m]}',
  );
  const wrong = join(engine.directory, 'wrong.json');
  for (const [settings, said] of [
    ['{"registry-mirrors": ["nowhere"]}', 'invalid mirror: "nowhere" is no URL of a registry'],
    ['{"log-level": "nonsense"}', 'invalid logging level: nonsense'],
  ] as const) {
    writeFileSync(wrong, settings);
    const refused = validate(wrong);
    assert.equal(refused.code, 1);
    assert.ok(refused.stderr.split('\n').includes(said), refused.stderr);
  }
});

test('SIGHUP leaves the daemon as it is, and it says so', async (t) => {
  const engine = await startDaemon(t, { base: false });
  process.kill(engine.pid, 'SIGHUP');
  await until(() => engine.log().includes('SIGHUP changes nothing'), 'it says nothing');
  assert.equal(engine.ok(['ps', '-q']), '');
});

test('a daemon whose log takes nothing runs and ends as any other', async (t) => {
  const wrapper = ['sh', '-c', 'exec "$@" 2>/dev/full', 'sh'];
  const engine = await startDaemon(t, { base: false, wrapper });
  process.kill(engine.pid, 'SIGHUP');
  assert.equal(engine.ok(['ps', '-q']), '');
  assert.equal(await engine.end('SIGTERM'), 0);
});

test("a daemon that cron starts, or a shell with another umask, runs other users' containers", async (t) => {
  const wrapper = ['sh', '-c', 'umask 077; PATH=/usr/bin:/bin; exec "$@"', 'sh'];
  const engine = await startDaemon(t, { wrapper });
  engine.ok(['run', '-d', '--name', 'closed', '-u', '1000', '-v', 'data:/a/b/c', 'base:1', 'sleep', '1000']);
  const reads = 'cat /etc/resolv.conf /etc/hosts /etc/hostname >/dev/null && ls /a/b/c && umask';
  assert.equal(engine.ok(['exec', 'closed', 'sh', '-c', reads]), '0022');
});

test('the socket is 0660', async (t) => {
  const engine = await startDaemon(t, { base: false });
  assert.equal(statSync(engine.host.slice('unix://'.length)).mode & 0o777, 0o660);
});

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`${signal} leaves containers running, and the next start finds them`, async (t) => {
    const engine = await startDaemon(t);
    const script = 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done';
    engine.ok(['run', '-d', '--name', 'stays', '-p', '127.0.0.1::80', 'base:1', 'sh', '-c', script]);
    engine.ok(['run', '-d', '--name', 'ends', 'base:1', 'sh', '-c', 'sleep 0.3; exit 5']);
    const before = engine.ok(['inspect', '-f', '{{.State.Pid}} {{json .NetworkSettings.Ports}}', 'stays']);
    const code = await engine.end(signal);
    assert.equal(code, signal === 'SIGTERM' ? 0 : null);
    await sleep(600);
    await engine.start();
    assert.equal(
      engine.ok(['inspect', '-f', '{{.State.Pid}} {{json .NetworkSettings.Ports}}', 'stays']),
      before,
    );
    assert.equal(engine.ok(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'ends']), 'exited 5');
    // No line was lost while nobody was there.
    const lines = engine.ok(['logs', 'stays']).split('\n');
    assert.deepEqual(
      lines,
      lines.map((_, index) => String(index)),
    );
    assert.ok(lines.length > 25);
    assert.equal(engine.ok(['exec', 'stays', 'echo', 'alive']), 'alive');
    engine.ok(['rm', '-f', 'stays', 'ends']);
  });
}

test('--shutdown stop stops containers', async (t) => {
  const engine = await startDaemon(t, { args: ['--shutdown', 'stop'] });
  engine.ok([
    'run',
    '-d',
    '--name',
    'one',
    'base:1',
    'sh',
    '-c',
    'trap "exit 0" TERM; echo ready; while :; do sleep 0.05; done',
  ]);
  await engine.ready('one');
  assert.equal(await engine.end('SIGTERM'), 0);
  await engine.start();
  assert.equal(engine.ok(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'one']), 'exited 0');
});

test('events are kept over a restart', async (t) => {
  const engine = await startDaemon(t);
  const since = String(Math.floor(Date.now() / 1000) - 1);
  engine.ok(['run', '--name', 'evented', 'base:1', 'true']);
  await engine.end('SIGKILL');
  await engine.start();
  const format = ['--since', since, '--until', untilNow(), '--format', '{{.Type}} {{.Action}}'];
  const events = engine
    .ok(['events', ...format, '--filter', 'container=evented', '--filter', 'type=container'])
    .split('\n');
  assert.deepEqual(
    events.filter((line) => !line.includes('attach')),
    ['container create', 'container start', 'container die'],
  );
});

test('a program that is missing is named with its package', async (t) => {
  const engine = await startDaemon(t, { base: false });
  await engine.end('SIGTERM');
  const config = engineConfig({ root: engine.root });
  // In a mount namespace of its own, where the program is nothing that can be run.
  const script = 'mount --bind /dev/null "$(command -v "$1")" && shift && exec "$@"';
  const daemon = [gantryPath, 'daemon', '--root', engine.root, '--host', engine.host];
  for (const [program, name] of [
    ['runc', 'runc'],
    ['conmon', 'conmon'],
    ['nft', 'nftables'],
    ['ip', 'iproute2'],
  ] as const) {
    const result = runCommand('unshare', ['-m', 'sh', '-c', script, 'sh', program, ...daemon], {
      timeoutMs: 60_000,
    });
    assert.equal(result.code, 1, result.stderr);
    assert.ok(
      result.stderr.includes(`Cannot run ${program}: the program is missing: install the package "${name}"`),
      result.stderr,
    );
    assert.deepEqual(readKernel(config).bridges, [], program);
  }
  await engine.start();
});

test('no daemon: the CLI says so and exits 1', () => {
  const gantry = join(import.meta.dirname, '../../bin/gantry');
  const result = runCommand(gantry, ['ps'], { env: { GANTRY_HOST: 'unix:///nonexistent/gantry.sock' } });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /Cannot connect to the Gantry daemon at unix:\/\/\/nonexistent\/gantry\.sock/);
});

test('no daemon: whoever is not root is told who starts one', () => {
  const gantry = join(import.meta.dirname, '../../bin/gantry');
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  // Wherever this checkout lies.
  const reader = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
  const hidden = ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec setpriv "$@"', 'sh'];
  for (const [code, ...args] of [
    [1, 'ps'],
    [125, 'run', 'base:1'],
  ] as const) {
    const result = runCommand('unshare', [...hidden, ...nobody, ...reader, gantry, ...args], {
      env: { GANTRY_HOST: '', DOCKER_HOST: '' },
    });
    assert.match(
      result.stderr,
      /gantry\.sock\. Is the gantry daemon running\? Root starts it, with any gantry/,
    );
    assert.equal(result.code, code);
  }
});

test('the end of the daemon leaves no tree of a stopped container mounted', async (t) => {
  const engine = await startDaemon(t);
  engine.ok(['create', '--name', 'copied', 'base:1', 'true']);
  assert.equal(engine.docker(['cp', 'copied:/etc/passwd', '-']).code, 0);
  const mounts = () =>
    readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(engine.root) && line.includes(' overlay '));
  assert.equal(mounts().length, 1);
  await engine.end('SIGTERM');
  assert.deepEqual(mounts(), []);
  await engine.start();
});
