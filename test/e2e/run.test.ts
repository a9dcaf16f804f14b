import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';
import { callEngine } from '../support/engine-call.ts';
import { processes, textOf } from '../support/proc.ts';
import { until } from '../support/until.ts';

// docker run and its options, as the unmodified CLI sees them.

let engine: TestDaemon;
const files = mkdtempSync(join(tmpdir(), 'gantry-test-files-'));

before(async () => {
  engine = await openDaemon();
});
after(async () => {
  rmSync(files, { recursive: true, force: true });
  await engine.destroy();
});

const docker = (...args: string[]) => engine.ok(args);
const run = (...args: string[]) => engine.ok(['run', '--rm', ...args]);
const sh = (options: string[], script: string) => run(...options, 'base:1', 'sh', '-c', script);

describe('exit codes', () => {
  for (const [what, args, code] of [
    ["the container's own", ['base:1', 'sh', '-c', 'exit 7'], 7],
    ['128 + n after signal n', ['--pid', 'host', 'base:1', 'sh', '-c', 'kill -9 $$'], 137],
    ['127 for a command that is not there', ['base:1', 'nope'], 127],
    ['127 for a path that is not there', ['base:1', '/nope'], 127],
    ['126 for a file that is not executable', ['base:1', '/etc/passwd'], 126],
    ['126 for a directory', ['base:1', '/etc'], 126],
    ['125 for a flag that does not exist', ['--nope', 'base:1', 'true'], 125],
    ['125 for an engine error', ['-m', '1k', 'base:1', 'true'], 125],
  ] as const) {
    test(what, () => {
      const result = engine.docker(['run', '--rm', ...args]);
      assert.equal(result.code, code, result.stderr);
    });
  }

  test('a failed --rm run leaves no container', () => {
    assert.equal(docker('ps', '-aq'), '');
  });
});

test('a --rm container, whose files never wait for the disk, keeps them over a restart', async () => {
  const start = (name: string, ...options: string[]) =>
    docker(
      'run',
      '-d',
      '--name',
      name,
      ...options,
      'base:1',
      'sh',
      '-c',
      'echo x >>/f; echo ready; sleep 1000',
    );
  const isVolatile = (name: string) => docker('exec', name, 'grep', '-w', 'volatile', '/proc/mounts') !== '';
  start('passing', '--rm', '--stop-signal', 'KILL');
  await engine.ready('passing');
  docker('restart', 'passing');
  await engine.ready('passing', 2);
  assert.equal(docker('exec', 'passing', 'cat', '/f'), 'x\nx');
  assert.ok(isVolatile('passing'));
  start('staying');
  assert.throws(() => isVolatile('staying'), 'grep finds nothing');
  docker('rm', '-f', 'passing', 'staying');
});

describe('streams', () => {
  test('stdout and stderr arrive apart', () => {
    const result = engine.docker(['run', '--rm', 'base:1', 'sh', '-c', 'echo out; echo err >&2']);
    assert.deepEqual([result.stdout, result.stderr], ['out\n', 'err\n']);
  });

  test('-i passes stdin and its end', () => {
    assert.equal(
      engine.ok(['run', '--rm', '-i', 'base:1', 'wc', '-c'], { input: 'x'.repeat(100_000) }),
      '100000',
    );
  });

  test('a large stream comes through whole', () => {
    const result = engine.docker(['run', '--rm', 'base:1', 'sh', '-c', 'yes 0123456789 | head -c 30000000']);
    assert.equal(result.stdout.length, 30_000_000);
  });

  test('stdio are pipes that any user may open again', () => {
    assert.equal(sh(['-u', '1000'], 'echo again > /dev/stdout'), 'again');
  });
});

describe('settings', () => {
  writeFileSync(join(files, 'env'), 'FROM_FILE=yes\n# comment\nPLAIN\n');
  for (const [what, options, script, expected] of [
    ['-e', ['-e', 'A=1', '-e', 'B=two words'], 'echo "$A $B"', '1 two words'],
    ['--env-file', ['--env-file', join(files, 'env')], 'echo $FROM_FILE', 'yes'],
    ['-w', ['-w', '/some/where'], 'pwd', '/some/where'],
    ['-u by name', ['-u', 'nobody'], 'id -u', '65534'],
    ['-u by ids', ['-u', '12:34'], 'id -u; id -g', '12\n34'],
    ['--group-add', ['--group-add', '4242'], 'id -G | tr " " "\\n" | grep -x 4242', '4242'],
    ['--sysctl', ['--sysctl', 'net.ipv4.ip_default_ttl=33'], 'cat /proc/sys/net/ipv4/ip_default_ttl', '33'],
    [
      '--mac-address',
      ['--mac-address', '02:42:c0:a8:84:22'],
      'cat /sys/class/net/eth0/address',
      '02:42:c0:a8:84:22',
    ],
    ['-h', ['-h', 'box'], 'hostname; cat /etc/hostname', 'box\nbox'],
    ['--entrypoint', ['--entrypoint', '/bin/echo'], '', 'sh -c'],
    ['--add-host', ['--add-host', 'db:10.1.2.3'], 'grep -w db /etc/hosts', '10.1.2.3\tdb'],
    [
      '--dns',
      ['--dns', '9.9.9.9', '--dns-search', 'example.org'],
      'cat /etc/resolv.conf',
      'nameserver 9.9.9.9\nsearch example.org',
    ],
    ['--ulimit', ['--ulimit', 'nofile=100:200'], 'ulimit -Sn; ulimit -Hn', '100\n200'],
    ['--tmpfs', ['--tmpfs', '/scratch:size=1m'], 'grep -c "tmpfs /scratch tmpfs" /proc/mounts', '1'],
    ['--read-only', ['--read-only'], 'touch /x 2>&1; echo $?', 'touch: /x: Read-only file system\n1'],
    ['--cap-drop', ['--cap-drop', 'ALL'], 'grep CapEff /proc/self/status', 'CapEff:\t0000000000000000'],
    ['the default capabilities', [], 'grep CapEff /proc/self/status', 'CapEff:\t00000000a80425fb'],
    [
      '--cap-add',
      ['--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN'],
      'grep CapEff /proc/self/status',
      'CapEff:\t0000000000001000',
    ],
    ['seccomp is on', [], 'grep Seccomp: /proc/self/status', 'Seccomp:\t2'],
    ['--network none', ['--network', 'none'], 'ls /sys/class/net', 'lo'],
    [
      '--pids-limit',
      ['--pids-limit', '50'],
      'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max',
      '50',
    ],
    [
      '-m',
      ['-m', '64m'],
      'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max',
      '67108864',
    ],
    [
      '--mount bind',
      ['--mount', `type=bind,src=${files},dst=/mnt,readonly`],
      'head -1 /mnt/env; touch /mnt/x 2>/dev/null || echo ro',
      'FROM_FILE=yes\nro',
    ],
    ['-v bind', ['-v', `${files}:/mnt:ro`], 'head -1 /mnt/env', 'FROM_FILE=yes'],
  ] as const) {
    test(what, () => {
      assert.equal(sh([...options], script), expected);
    });
  }

  test('--init runs the command below an init', () => {
    const result = engine.docker(['run', '--rm', '--init', 'base:1', 'cat', '/proc/1/comm']);
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /docker-init|tini/);
  });

  test('--privileged gives devices and every capability the daemon has', () => {
    const capabilities = (status: string) => /CapEff:\t(\w+)/.exec(status)?.[1] ?? '';
    const given = run('--privileged', 'base:1', 'grep', 'CapEff', '/proc/self/status');
    assert.equal(capabilities(given), capabilities(statusOf(engine.pid)));
    assert.ok(Number(run('--privileged', 'base:1', 'sh', '-c', 'ls /dev | wc -l')) > 20);
  });

  test('--network host shares the host name, interfaces and name servers', () => {
    assert.equal(
      sh(['--network', 'host'], 'readlink /proc/self/ns/net; hostname'),
      `${readlinkSync('/proc/self/ns/net')}\n${hostname()}`,
    );
    const servers = (text: string) => text.match(/^nameserver .*/gm);
    const host = readFileSync('/etc/resolv.conf', 'utf8');
    assert.deepEqual(servers(sh(['--network', 'host'], 'cat /etc/resolv.conf')), servers(host));
  });

  test('masked and read-only paths are as Docker has them', () => {
    assert.equal(
      sh([], 'cat /proc/kcore | wc -c; (echo 1 > /proc/sys/kernel/panic) 2>&1 || true'),
      "0\nsh: can't create /proc/sys/kernel/panic: Read-only file system",
    );
  });
});

describe('a tty', () => {
  test('has the size the client gives, and merges the streams', async () => {
    const body = {
      Image: 'base:1',
      Tty: true,
      Cmd: ['sh', '-c', 'stty size; echo err >&2'],
      HostConfig: { ConsoleSize: [33, 99] },
    };
    const created = await callEngine(engine.host, { method: 'POST', path: '/containers/create', body });
    const { Id: id } = JSON.parse(created.body) as { Id: string };
    docker('start', id);
    docker('wait', id);
    assert.equal(docker('logs', id).replaceAll('\r', ''), '33 99\nerr');
    docker('rm', id);
  });
});

describe('names and listing', () => {
  test('ps shows what runs, ps -a all, with names, ports and status', () => {
    docker(
      'run',
      '-d',
      '--name',
      'web',
      '--label',
      'tier=front',
      '-p',
      '127.0.0.1::80',
      'base:1',
      'sleep',
      '1000',
    );
    docker('create', '--name', 'idle', 'base:1', 'true');
    assert.equal(docker('ps', '--format', '{{.Names}} {{.Status}}').replace(/Up .*/, 'Up'), 'web Up');
    assert.match(docker('ps', '--format', '{{.Ports}}'), /^127\.0\.0\.1:\d+->80\/tcp$/);
    assert.match(docker('port', 'web'), /^80\/tcp -> 127\.0\.0\.1:\d+$/);
    assert.deepEqual(docker('ps', '-a', '--format', '{{.Names}}').split('\n').sort(), ['idle', 'web']);
    assert.equal(
      docker('ps', '-aq', '--filter', 'label=tier=front', '--filter', 'status=running').length,
      12,
    );
    docker('rename', 'idle', 'busy');
    assert.equal(docker('ps', '-a', '--filter', 'name=busy', '--format', '{{.Status}}'), 'Created');
    docker('rm', '-f', 'web', 'busy');
  });

  test('a paused container ends when it is stopped, and when it is removed by force', async () => {
    const script = 'trap "exit 3" TERM; echo ready; sleep 1000 & wait';
    for (let round = 0; round < 5; round += 1) {
      docker('run', '-d', '--name', 'frozen', 'base:1', 'sh', '-c', script);
      docker('pause', 'frozen');
      docker('rm', '-f', 'frozen');
    }
    docker('run', '-d', '--name', 'frozen', 'base:1', 'sh', '-c', script);
    await engine.ready('frozen');
    docker('pause', 'frozen');
    docker('stop', 'frozen');
    assert.equal(docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'frozen'), 'exited 3');
    docker('rm', 'frozen');
  });

  test('top, pause, unpause, kill, wait, restart', async () => {
    docker(
      'run',
      '-d',
      '--name',
      'life',
      'base:1',
      'sh',
      '-c',
      'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done',
    );
    await engine.ready('life');
    assert.match(docker('top', 'life'), /PID[\s\S]*trap/);
    docker('pause', 'life');
    assert.match(docker('ps', '--format', '{{.Status}}'), /\(Paused\)/);
    const refused = engine.docker(['exec', 'life', 'true']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Container \w+ is paused, unpause the container before exec/);
    docker('unpause', 'life');
    docker('restart', 'life');
    assert.equal(docker('inspect', '-f', '{{.State.Running}}', 'life'), 'true');
    await engine.ready('life', 2);
    docker('kill', '-s', 'TERM', 'life');
    assert.equal(docker('wait', 'life'), '3');
    docker('rm', 'life');
  });
});

describe('a container that starts or ends at this very moment', () => {
  test('rm -f removes it, whatever its restart policy is doing', () => {
    const ids = [1, 2, 3, 4].map(() => docker('run', '-d', '--restart', 'always', 'base:1', 'sleep', '0.1'));
    for (const id of ids) docker('rm', '-f', id);
    assert.equal(docker('ps', '-aq'), '');
  });

  test('commit takes it as it is', () => {
    for (let round = 0; round < 3; round += 1) {
      const id = docker('run', '-d', 'base:1', 'sh', '-c', 'echo kept >/kept');
      docker('commit', id, 'ended:1');
      docker('rm', '-f', id);
    }
    docker('rmi', 'ended:1');
  });
});

describe('exec', () => {
  before(() => {
    docker('run', '-d', '--name', 'ex', '-e', 'A=1', '--group-add', '4242', 'base:1', 'sleep', '1000');
  });
  after(() => {
    docker('rm', '-f', 'ex');
  });

  test('-e -u -w and the exit code', () => {
    assert.equal(
      docker(
        'exec',
        '-e',
        'B=2',
        '-u',
        'nobody',
        '-w',
        '/tmp',
        'ex',
        'sh',
        '-c',
        'echo $A $B $(id -u) $(pwd)',
      ),
      '1 2 65534 /tmp',
    );
    assert.equal(engine.docker(['exec', 'ex', 'sh', '-c', 'exit 9']).code, 9);
    assert.equal(engine.docker(['exec', 'ex', 'nope']).code, 127);
    assert.equal(engine.docker(['exec', 'ex', '/etc/passwd']).code, 126);
  });

  test('--env-file, and the groups of the container', () => {
    const script = 'echo $FROM_FILE; id -G | tr " " "\\n" | grep -x 4242';
    for (const cli of ['docker', 'gantry'] as const) {
      const result = engine[cli](['exec', '--env-file', join(files, 'env'), 'ex', 'sh', '-c', script]);
      assert.equal(result.stdout, 'yes\n4242\n', result.stderr);
    }
  });

  test('-i passes stdin, -d detaches, --privileged raises', () => {
    assert.equal(engine.ok(['exec', '-i', 'ex', 'cat'], { input: 'hello' }), 'hello');
    docker('exec', '-d', 'ex', 'touch', '/detached');
    docker('exec', 'ex', 'sh', '-c', 'until [ -e /detached ]; do sleep 0.1; done');
    const caps =
      /CapEff:\t(\w+)/.exec(
        docker('exec', '--privileged', 'ex', 'grep', 'CapEff', '/proc/self/status'),
      )?.[1] ?? '0';
    assert.ok(BigInt(`0x${caps}`) > 0xa80425fbn);
  });
});

test('the daemon, which adopts what execs run, leaves no ended process behind', async () => {
  docker(
    'run',
    '-d',
    '--name',
    'zombies',
    '--health-cmd',
    'true',
    '--health-interval',
    '1s',
    'base:1',
    'sleep',
    '1000',
  );
  docker('run', '-d', '--name', 'hostpid', '--pid', 'host', 'base:1', 'sleep', '1000');
  for (const name of ['zombies', 'hostpid']) {
    assert.equal(docker('exec', name, 'sh', '-c', '(sleep 0.2; true) & echo started'), 'started');
    docker('exec', '-d', name, 'sh', '-c', 'sleep 0.1 & true');
    assert.equal(engine.docker(['exec', name, 'nope']).code, 127);
  }
  docker('exec', '-d', 'zombies', 'sleep', '1000');
  docker('rm', '-f', 'zombies', 'hostpid');
  docker('run', '--rm', 'base:1', 'true');
  const ended = () =>
    processes().filter(({ pid }) => {
      const status = statusOf(pid);
      return status.includes(`\nPPid:\t${engine.pid}\n`) && status.includes('State:\tZ');
    });
  await until(
    () => ended().length === 0,
    () => `ended: ${JSON.stringify(ended())}`,
    60,
  );
});

const statusOf = (pid: number) => textOf(`/proc/${pid}/status`);

describe('logs', () => {
  test('--tail, -t, --since and -f', () => {
    docker('run', '--name', 'log', 'base:1', 'sh', '-c', 'for i in 1 2 3 4 5; do echo line $i; done');
    assert.equal(docker('logs', '--tail', '2', 'log'), 'line 4\nline 5');
    assert.match(
      docker('logs', '-t', '--tail', '1', 'log'),
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 5$/,
    );
    assert.equal(docker('logs', '--since', '2100-01-01', 'log'), '');
    assert.equal(docker('logs', '-f', 'log').split('\n').length, 5);
    docker('rm', 'log');
  });

  test('bytes are kept exactly, with no newline at the end', () => {
    docker('run', '--name', 'bytes', 'base:1', 'printf', 'a\\tb\\001\\nlast');
    assert.equal(engine.docker(['logs', 'bytes']).stdout, 'a\tb\u0001\nlast');
    docker('rm', 'bytes');
  });
});
