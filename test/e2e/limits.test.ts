import assert from 'node:assert/strict';
import { existsSync, globSync, rmdirSync } from 'node:fs';
import test, { after, before, describe } from 'node:test';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';
import { untilNow } from '../support/event-times.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';
import { until } from '../support/until.ts';

// cgroup limits and confinement, on either version of cgroups and with or without AppArmor.

let engine: TestDaemon;
const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');

before(async () => {
  engine = await openDaemon();
});
after(async () => {
  await engine.destroy();
});

const docker = (...args: string[]) => engine.ok(args);
/** The first of two files of a container's own cgroup: v2's name, then v1's. */
const limit = (options: string[], v2: string, v1: string) =>
  docker('run', '--rm', ...options, 'base:1', 'cat', `/sys/fs/cgroup/${unified ? v2 : v1}`);

describe('limits', () => {
  test('are what the container sees in its cgroup', () => {
    assert.equal(limit(['-m', '64m'], 'memory.max', 'memory/memory.limit_in_bytes'), '67108864');
    assert.equal(limit(['--pids-limit', '50'], 'pids.max', 'pids/pids.max'), '50');
    assert.equal(
      limit(['--cpus', '0.5'], 'cpu.max', 'cpu/cpu.cfs_quota_us'),
      unified ? '50000 100000' : '50000',
    );
    assert.equal(limit(['--cpuset-cpus', '0'], 'cpuset.cpus', 'cpuset/cpuset.cpus'), '0');
  });

  test('can be changed while it runs', () => {
    docker('run', '-d', '--name', 'grows', '-m', '64m', 'base:1', 'sleep', '1000');
    docker('update', '-m', '96m', '--memory-swap', '192m', '--pids-limit', '77', 'grows');
    const read = (v2: string, v1: string) =>
      docker('exec', 'grows', 'cat', `/sys/fs/cgroup/${unified ? v2 : v1}`);
    assert.equal(read('memory.max', 'memory/memory.limit_in_bytes'), String(96 << 20));
    assert.equal(read('pids.max', 'pids/pids.max'), '77');
    for (const none of ['-1', '0']) {
      docker('update', '--pids-limit', '77', 'grows');
      assert.equal(engine.gantry(['update', '--pids-limit', none, 'grows']).code, 0);
      assert.equal(read('pids.max', 'pids/pids.max'), 'max');
      assert.equal(docker('inspect', '-f', '{{.HostConfig.PidsLimit}}', 'grows'), '0');
    }
    docker('rm', '-f', 'grows');
  });

  test('that do not go with those there are are refused', () => {
    const id = docker('create', '--name', 'halved', '--cpus', '0.5', 'base:1', 'true');
    const { code, stderr } = engine.docker(['update', '--cpu-quota', '50000', 'halved']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(`Cannot update container ${id}: Conflicting options: CPU Quota cannot be`),
    );
    docker('rm', 'halved');
  });

  test('the weight of block I/O reaches a container that runs, where the kernel has weights', () => {
    docker('run', '-d', '--name', 'weighs', 'base:1', 'sleep', '1000');
    const result = engine.docker(['update', '--blkio-weight', '300', 'weighs']);
    assert.equal(result.code, 0, result.stderr);
    const shown = docker('inspect', '-f', '{{.HostConfig.BlkioWeight}}', 'weighs');
    if (unified || existsSync('/sys/fs/cgroup/blkio/blkio.bfq.weight')) {
      const files = ['io.bfq.weight', 'io.weight', 'blkio/blkio.bfq.weight'];
      const script = `cd /sys/fs/cgroup; cat ${files.join(' ')} 2>/dev/null | head -n 1`;
      // The kernel's own weight has another scale.
      assert.match(docker('exec', 'weighs', 'sh', '-c', script), /\b(300|2930)$/);
      assert.equal(shown, '300');
    } else {
      assert.match(result.stdout + result.stderr, /does not support Block I\/O weight .* Weight discarded\./);
      assert.equal(shown, '0');
    }
    docker('rm', '-f', 'weighs');
  });

  test('are those of a build for its RUN too', (t) => {
    const mems = unified ? 'cpuset.mems' : 'cpuset/cpuset.mems';
    const swap = unified ? 'memory.swap.max' : 'memory/memory.memsw.limit_in_bytes';
    const parent = `/gantry-test-${process.pid}`;
    const context = temporaryDirectory(t);
    writeTree(context, {
      Dockerfile: `FROM base:1
RUN cat /sys/fs/cgroup/${mems} >/mems; cat /sys/fs/cgroup/${swap} >/swap; cat /proc/self/cgroup >/cgroup
`,
    });
    t.after(() => {
      const left = globSync([`/sys/fs/cgroup${parent}`, `/sys/fs/cgroup/*${parent}`]);
      // Some controllers have two names.
      for (const directory of left) if (existsSync(directory)) rmdirSync(directory);
    });
    const limits = ['-m', '64m', '--memory-swap', '96m', '--cpuset-mems', '0', '--cgroup-parent', parent];
    docker('build', '-q', '-t', 'limited', ...limits, context);
    const read = (file: string) => docker('run', '--rm', 'limited', 'cat', file);
    assert.equal(read('/mems'), '0');
    assert.equal(read('/swap'), String((unified ? 32 : 96) << 20));
    if (!unified) assert.match(read('/cgroup'), new RegExp(`:memory:${parent}/`));
  });
  const confined = ['-m', '16m', '--memory-swap', '16m', 'base:1', 'sh', '-c'];

  test('a container over its memory is killed and says so', () => {
    const result = engine.docker(['run', '--name', 'big', ...confined, 'exec tail /dev/zero']);
    assert.equal(result.code, 137, result.stderr);
    assert.equal(docker('inspect', '-f', '{{.State.OOMKilled}} {{.State.ExitCode}}', 'big'), 'true 137');
    docker('rm', 'big');
    docker('run', '--name', 'small', ...confined, 'true');
    assert.equal(docker('inspect', '-f', '{{.State.OOMKilled}}', 'small'), 'false');
    docker('rm', 'small');
  });

  test('a process killed for memory is told of while its container goes on, once', async () => {
    const script = 'tail /dev/zero; until [ -e /go ]; do sleep 0.1; done; tail /dev/zero; exec sleep 1000';
    docker('run', '-d', '--name', 'hungry', ...confined, script);
    const state = () => docker('inspect', '-f', '{{.State.OOMKilled}} {{.State.Running}}', 'hungry');
    const events = () => {
      const filters = ['--filter', 'container=hungry', '--filter', 'event=oom', '--filter', 'event=die'];
      const args = ['events', '--since', '0', '--until', untilNow(), ...filters, '--format', '{{.Action}}'];
      return docker(...args).split('\n');
    };
    await until(() => state() === 'true true', 'nothing says that it is out of memory');
    assert.deepEqual(events(), ['oom']);
    await engine.end('SIGKILL');
    await engine.start();
    docker('exec', 'hungry', 'touch', '/go');
    await until(() => docker('top', 'hungry').includes('sleep 1000'), 'the second is not killed');
    assert.equal(state(), 'true true');
    docker('stop', '-t', '0', 'hungry');
    assert.equal(state(), 'true false');
    assert.deepEqual(events(), ['oom', 'die']);
    docker('rm', 'hungry');
  });

  test('stats tell what it uses of them', () => {
    docker('run', '-d', '--name', 'used', '-m', '64m', 'base:1', 'sleep', '1000');
    const format = '{{.PIDs}} {{.MemUsage}} {{.CPUPerc}}';
    const stats = docker('stats', '--no-stream', '--format', format, 'used');
    assert.match(stats, /^1 [\d.]+(KiB|MiB|B) \/ 64MiB [\d.]+%$/);
    assert.doesNotMatch(stats, / 0B \/ /);
    docker('rm', '-f', 'used');
  });
});

test('exec works in a container that moved its processes into nested cgroups', () => {
  const directory = unified ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
  const nest = [
    `mkdir ${directory}/inner && echo 1 > ${directory}/inner/cgroup.procs`,
    unified ? `echo +memory > ${directory}/cgroup.subtree_control` : 'true',
    'echo nested; exec sleep 1000',
  ].join(' && ');
  docker('run', '-d', '--name', 'nests', '--privileged', '--cgroupns', 'private', 'base:1', 'sh', '-c', nest);
  assert.equal(
    docker(
      'exec',
      'nests',
      'sh',
      '-c',
      'while ! [ -d "$1" ]; do sleep 0.1; done; echo in',
      'sh',
      `${directory}/inner`,
    ),
    'in',
  );
  assert.equal(docker('exec', 'nests', 'echo', 'again'), 'again');
  assert.equal(docker('logs', 'nests'), 'nested');
  docker('pause', 'nests');
  docker('unpause', 'nests');
  docker('rm', '-f', 'nests');
});

test('a health check runs under the same limits', async () => {
  docker(
    'run',
    '-d',
    '--name',
    'healthy',
    '-m',
    '64m',
    '--health-cmd',
    'true',
    '--health-interval',
    '200ms',
    'base:1',
    'sleep',
    '1000',
  );
  const status = () => docker('inspect', '-f', '{{.State.Health.Status}}', 'healthy');
  await until(() => status() !== 'starting', 'no health check ran', 60);
  assert.equal(status(), 'healthy');
  docker('rm', '-f', 'healthy');
});

describe('AppArmor', () => {
  const enabled = existsSync('/sys/kernel/security/apparmor') && existsSync('/sbin/apparmor_parser');
  const profileOf = (...options: string[]) => {
    const id = docker('create', ...options, 'base:1', 'cat', '/proc/self/attr/current');
    const named = docker('inspect', '-f', '{{.AppArmorProfile}}', id);
    const result = engine.docker(['start', '-a', id]);
    docker('rm', id);
    return [named, result.code === 0 ? result.stdout.trim() : ''];
  };

  test('confines a container with docker-default where the host has it', () => {
    const expected = enabled ? ['docker-default', 'docker-default (enforce)'] : ['', ''];
    assert.deepEqual(profileOf(), expected);
  });

  test('leaves a privileged one alone, and one that asks', () => {
    const expected = enabled ? ['unconfined', 'unconfined'] : ['', ''];
    assert.deepEqual(profileOf('--privileged'), expected);
    assert.deepEqual(profileOf('--security-opt', 'apparmor=unconfined'), expected);
  });

  test('denies mounting, and lets signals and work through', async () => {
    const script =
      'mkdir /m; mount -t tmpfs none /m 2>/dev/null && echo mounted; sleep 100 & kill $! && echo killed';

    assert.equal(
      docker('run', '--rm', '--cap-add', 'SYS_ADMIN', 'base:1', 'sh', '-c', script),
      enabled ? 'killed' : 'mounted\nkilled',
    );
    docker(
      'run',
      '-d',
      '--name',
      'confined',
      'base:1',
      'sh',
      '-c',
      'trap "exit 4" TERM; echo ready; while :; do sleep 0.1; done',
    );
    await engine.ready('confined');
    docker('stop', '-t', '60', 'confined');
    assert.equal(docker('inspect', '-f', '{{.State.ExitCode}}', 'confined'), '4');
    docker('rm', 'confined');
  });
});
