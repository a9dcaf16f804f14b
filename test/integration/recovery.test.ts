import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineConfig } from '../../src/config/index.ts';
import { ok, runCommand, startDaemon } from '../support/daemon.ts';
import { runClient } from '../support/docker-client.ts';
import { untilNow } from '../support/event-times.ts';
import { until } from '../support/until.ts';

// What a start of the daemon finds when the one before was killed in the middle of something.

const engine = await startDaemon({ after });

const docker = (...args: string[]) => engine.ok(args);
const run = (name: string, ...options: string[]) =>
  docker('run', '-d', '--name', name, ...options, 'base:1', 'sleep', '1000');
const show = (name: string, format: string) => docker('inspect', '-f', format, name);

/** The daemon is killed, `meanwhile` happens, and it starts again. */
async function crash(meanwhile: () => void | Promise<void> = () => undefined): Promise<void> {
  await engine.end('SIGKILL');
  await meanwhile();
  await engine.start();
}

test('a pause or unpause that was not written down is found in the kernel', async () => {
  const id = run('freezes');
  const { run: directory } = engineConfig({ root: engine.root });
  const runc = (verb: string) => {
    ok('runc', '--root', join(directory, 'runc'), verb, id);
  };
  await crash(() => {
    runc('pause');
  });
  assert.equal(show('freezes', '{{.State.Status}}'), 'paused');
  docker('unpause', 'freezes');
  docker('pause', 'freezes');
  await crash(() => {
    runc('resume');
  });
  assert.equal(show('freezes', '{{.State.Status}}'), 'running');
  assert.equal(docker('exec', 'freezes', 'echo', 'moves'), 'moves');
  docker('rm', '-f', 'freezes');
});

test('the exit of a container is known, however soon after it the daemon is killed', async () => {
  for (let delayMs = 0; delayMs < 24; delayMs += 3) {
    const script = 'trap "exit 5" TERM; echo ready; while :; do sleep 0.01; done';
    docker('run', '-d', '--name', 'ends', 'base:1', 'sh', '-c', script);
    await engine.ready('ends');
    const pid = Number(show('ends', '{{.State.Pid}}'));
    process.kill(pid, 'SIGTERM');
    for (const end = Date.now() + 60_000; existsSync(`/proc/${pid}`) && Date.now() < end; ) await sleep(1);
    await sleep(delayMs);
    await crash();
    assert.equal(show('ends', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 5', `after ${delayMs} ms`);
    docker('rm', 'ends');
  }
});

test('no health check is made in a container that was paused before the start', async () => {
  const health = ['--health-cmd', 'true', '--health-interval', '100ms', '--health-timeout', '5s'];
  run('sound', ...health, '--health-retries', '1');
  await until(() => show('sound', '{{.State.Health.Status}}') === 'healthy', 'it is not healthy', 60);
  docker('pause', 'sound');
  await crash();
  // A check in a frozen container would have run out of time by then.
  await sleep(7000);
  assert.equal(show('sound', '{{.State.Status}} {{.State.Health.Status}}'), 'paused healthy');
  docker('rm', '-f', 'sound');
});

test('a health check that was running ends with its daemon', async () => {
  const id = run('probed', '--health-cmd', 'sleep 1001', '--health-interval', '100ms');
  const probes = () =>
    docker('top', id, '-o', 'pid,args')
      .split('\n')
      .filter((line) => line.includes('sleep 1001'));
  await until(() => probes().length > 0, 'no health check begins', 10);
  const old = probes();
  await crash();
  const left = probes().filter((line) => old.includes(line));
  assert.deepEqual(left, []);
  docker('rm', '-f', 'probed');
});

test('an interface that a cut-off disconnect took is there again, and the way out with it', async () => {
  docker('network', 'create', 'first');
  docker('network', 'create', 'second');
  const id = run('joined', '--network', 'first');
  docker('network', 'connect', 'second', 'joined');
  const { instance } = engineConfig({ root: engine.root });
  const endpoint = (network: string) =>
    show('joined', `{{(index .NetworkSettings.Networks "${network}").EndpointID}}`).slice(0, 4);
  const addresses = () =>
    ['first', 'second'].map((name) =>
      show('joined', `{{(index .NetworkSettings.Networks "${name}").IPAddress}}`),
    );
  const [was, gateway] = [addresses(), show('joined', '{{.NetworkSettings.Networks.first.Gateway}}')];
  const veths = [endpoint('first'), endpoint('second')];
  await crash(() => {
    for (const digits of veths) ok('ip', 'link', 'del', `gtv${instance}${digits}`);
  });
  assert.deepEqual(addresses(), was);
  const inside = docker('exec', id, 'ip', '-4', 'addr');
  for (const address of was)
    assert.ok(inside.includes(`inet ${address}/`), `${address} is not in\n${inside}`);
  assert.match(
    docker('exec', id, 'ip', 'route'),
    new RegExp(`^default via ${gateway.replaceAll('.', '\\.')} `, 'm'),
  );
  docker('exec', id, 'ping', '-c', '1', '-w', '3', gateway);
  docker('network', 'disconnect', 'second', 'joined');
  docker('rm', '-f', 'joined');
  docker('network', 'rm', 'first', 'second');
});

test('the names of a network that was joined or left are in the file of hosts, though it was cut off before', async () => {
  docker('network', 'create', 'late');
  const id = run('joins', '--hostname', 'web');
  const hosts = join(engine.root, 'containers', id, 'hosts');
  const addresses = () =>
    show('joins', '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}').split(' ').sort();
  const inFile = () => {
    const lines = docker('exec', 'joins', 'cat', '/etc/hosts').split('\n');
    return lines.filter((line) => line.endsWith('\tweb')).map((line) => line.split('\t')[0] ?? '');
  };
  for (const [verb, count] of [
    ['connect', 2],
    ['disconnect', 1],
  ] as const) {
    // Whoever reads the file waits until somebody writes it.
    renameSync(hosts, `${hosts}.kept`);
    ok('mkfifo', hosts);
    const change = spawn('docker', ['-H', engine.host, 'network', verb, 'late', 'joins'], {
      stdio: 'ignore',
    });
    try {
      await until(() => addresses().length === count, `no ${verb}`, 10);
      await engine.end('SIGKILL');
    } finally {
      renameSync(`${hosts}.kept`, hosts);
    }
    await engine.start();
    if (change.exitCode === null) await once(change, 'exit');
    assert.deepEqual(inFile().sort(), addresses(), verb);
    await crash();
    assert.deepEqual(inFile().sort(), addresses(), `${verb}, and a further start`);
  }
  docker('rm', '-f', 'joins');
  docker('network', 'rm', 'late');
});

test('a cgroup that a cut-off start left goes, with what is in it, frozen or not', async (t) => {
  const { cgroupParent } = engineConfig({ root: engine.root });
  const hierarchies = existsSync('/sys/fs/cgroup/cgroup.controllers')
    ? ['/sys/fs/cgroup']
    : ['freezer', 'memory'].map((controller) => join('/sys/fs/cgroup', controller));
  const groups = hierarchies.map((root) => join(root, cgroupParent, 'f'.repeat(64)));
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  await crash(() => {
    for (const group of groups) {
      mkdirSync(group, { recursive: true });
      writeFileSync(join(group, 'cgroup.procs'), String(child.pid));
      if (existsSync(join(group, 'freezer.state'))) writeFileSync(join(group, 'freezer.state'), 'FROZEN');
      else if (existsSync(join(group, 'cgroup.freeze'))) writeFileSync(join(group, 'cgroup.freeze'), '1');
    }
  });
  const left = groups.filter((group) => existsSync(group));
  // Frozen, it would not even die.
  for (const group of left) {
    if (existsSync(join(group, 'freezer.state'))) writeFileSync(join(group, 'freezer.state'), 'THAWED');
  }
  child.kill('SIGKILL');
  assert.deepEqual(left, []);
});

test("what a cut-off start mounted for a volume's options is not mounted any more", async () => {
  const options = ['type=tmpfs', 'device=tmpfs', 'o=size=1m'].flatMap((option) => ['-o', option]);
  docker('volume', 'create', ...options, 'optioned');
  docker('create', '--name', 'mounts', '-v', 'optioned:/data', 'base:1', 'true');
  const path = join(engine.root, 'volumes/optioned/_data');
  await crash(() => {
    ok('mount', '-t', 'tmpfs', 'tmpfs', path);
  });
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(path));
  docker('start', '-a', 'mounts');
  docker('rm', 'mounts');
  docker('volume', 'rm', 'optioned');
});

test('containers that run on share the same tmpfs volume with those started after it', async () => {
  docker('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'shared');
  for (const name of ['holds', 'returns']) run(name, '-v', 'shared:/shared');
  docker('exec', 'holds', 'touch', '/shared/file');
  await crash();
  docker('restart', '-t', '0', 'returns');
  assert.equal(docker('exec', 'returns', 'ls', '/shared'), 'file');
  docker('rm', '-f', 'holds', 'returns');
  docker('volume', 'rm', 'shared');
  const filters = ['--filter', 'volume=shared', '--format', '{{.Action}}'];
  const events = docker('events', '--since', '0', '--until', untilNow(), ...filters).split('\n');
  const count = (action: string) => events.filter((one) => one === action).length;
  assert.deepEqual([count('mount'), count('unmount')], [3, 3]);
});

test('the files of execs that ended meanwhile are removed, and a running one goes on', async () => {
  const id = run('host');
  const execs = join(engineConfig({ root: engine.root }).run, 'x');
  docker('exec', '-d', id, 'sleep', '0.5');
  docker('exec', '-d', id, 'sleep', '1000');
  const orphan = join(execs, '0'.repeat(64), '0'.repeat(64));
  await crash(async () => {
    mkdirSync(orphan, { recursive: true });
    await sleep(1500);
  });
  await until(() => readdirSync(join(execs, id)).length === 1, 'the files of the ended exec are left', 10);
  assert.match(docker('top', id), /sleep 1000[^]*sleep 1000/);
  assert.ok(!existsSync(orphan), 'files of an exec of no container are left');
  docker('rm', '-f', id);
});

test('a stop that was cut off leaves the restart policy at work', async () => {
  const script = 'trap "" TERM; echo ready; while :; do sleep 1; done';
  docker('run', '-d', '--name', 'lasting', '--restart', 'unless-stopped', 'base:1', 'sh', '-c', script);
  await engine.ready('lasting');
  const stopping = runClient(engine, ['stop', '-t', '30', 'lasting']);
  await sleep(1000);
  await crash();
  assert.notEqual((await stopping).code, 0);
  assert.equal(show('lasting', '{{.State.Status}}'), 'running');
  process.kill(Number(show('lasting', '{{.State.Pid}}')), 'SIGKILL');
  await until(
    () => show('lasting', '{{.RestartCount}} {{.State.Running}}') === '1 true',
    'it is not restarted',
    10,
  );
  docker('rm', '-f', 'lasting');
});

test('a container whose files cannot be taken away has ended all the same', async (t) => {
  const id = run('stuck');
  const blocked = join(engineConfig({ root: engine.root }).run, 'x', id, 'blocked');
  mkdirSync(blocked, { recursive: true });
  ok('mount', '-t', 'tmpfs', 'blocked', blocked);
  t.after(() => runCommand('umount', [blocked]));
  docker('kill', 'stuck');
  await until(() => show('stuck', '{{.State.Status}} {{.State.ExitCode}}') === 'exited 137', 'it ended', 10);
  assert.match(engine.log(), /cannot take down all of an ended container/);
  ok('umount', blocked);
  docker('start', 'stuck');
  assert.equal(docker('exec', 'stuck', 'hostname'), id.slice(0, 12));
  docker('rm', '-f', 'stuck');
  assert.equal(existsSync(blocked), false);
});

test('a start that fails and cannot be taken back has failed all the same', async (t) => {
  const id = docker('create', '--name', 'stuck', 'base:1', '/nowhere');
  const blocked = join(engineConfig({ root: engine.root }).run, 'x', id, 'blocked');
  mkdirSync(blocked, { recursive: true });
  ok('mount', '-t', 'tmpfs', 'blocked', blocked);
  t.after(() => runCommand('umount', [blocked]));
  assert.notEqual(engine.docker(['start', '-a', 'stuck']).code, 0);
  assert.match(show('stuck', '{{.State.Error}}'), /nowhere.*no such file/);
  ok('umount', blocked);
  docker('rm', 'stuck');
});

test('a container that a commit had frozen goes on', async () => {
  const id = run('frozen');
  docker('exec', 'frozen', 'sh', '-c', 'head -c 300000000 /dev/zero >/large');
  const { run: directory } = engineConfig({ root: engine.root });
  const state = () => runCommand('runc', ['--root', join(directory, 'runc'), 'state', id]).stdout;
  const committing = runClient(engine, ['commit', 'frozen', 'frozen:1']);
  await until(() => state().includes('"paused"'), 'it was never frozen', 30);
  await crash();
  assert.notEqual((await committing).code, 0);
  assert.equal(show('frozen', '{{.State.Status}}'), 'running');
  assert.equal(docker('exec', 'frozen', 'echo', 'moves'), 'moves');
  docker('rm', '-f', 'frozen');
});

test('the last try that a policy has is made by the daemon that comes after, and none beyond it', async () => {
  docker('run', '-d', '--name', 'tries', '--restart', 'on-failure:6', 'base:1', 'false');
  // The sixth try is 3.2 s after the sixth end.
  await until(
    () => show('tries', '{{.RestartCount}} {{.State.Status}}') === '6 restarting',
    'it does not wait',
  );
  const before = show('tries', '{{.State.StartedAt}}');
  await crash();
  await until(() => show('tries', '{{.State.StartedAt}}') !== before, 'its last try is not made');
  await until(
    () => show('tries', '{{.RestartCount}} {{.State.Status}}') === '6 exited',
    'it does not give up',
  );
  const last = show('tries', '{{.State.StartedAt}}');
  await crash();
  await sleep(1000);
  assert.equal(show('tries', '{{.State.StartedAt}} {{.State.Status}}'), `${last} exited`);
  docker('rm', 'tries');
});

test('containers that need another start after it, however many of them the policy starts at once', async () => {
  const policy = ['--restart', 'always'];
  const names = ['needed', 'joins', 'linked'];
  run('needed', ...policy);
  run('joins', ...policy, '--network', 'container:needed');
  run('linked', ...policy, '--link', 'needed');
  const pids = names.map((name) => Number(show(name, '{{.State.Pid}}')));
  await crash(async () => {
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until(() => pids.every((pid) => !existsSync(`/proc/${pid}`)), 'they do not end');
  });
  for (const name of names) {
    await until(() => show(name, '{{.State.Status}}') === 'running', `${name} does not come back`);
  }
  docker('rm', '-f', ...names);
});
