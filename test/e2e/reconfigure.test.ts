import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { after, afterEach, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDaemon } from '../support/daemon.ts';
import { untilNow } from '../support/event-times.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

// `gantry update` of ports, environment, mounts and labels, as the docker CLI sees it.

const engine = await startDaemon({ after });

afterEach(() => {
  for (const id of docker('ps', '-aq').split('\n')) if (id !== '') docker('rm', '-fv', id);
  docker('volume', 'prune', '-f', '--filter', 'all=1');
});

const docker = (...args: string[]) => engine.ok(args);
const show = (format: string, name = 'app') => docker('inspect', '-f', format, name);
const inside = (...command: string[]) => docker('exec', 'app', ...command);

function update(...args: string[]): string {
  const { code, stdout, stderr } = engine.gantry(['update', ...args]);
  assert.equal(code, 0, stderr + engine.log());
  return stdout.trim();
}

function refused(...args: string[]): string {
  const { code, stderr } = engine.gantry(['update', ...args]);
  assert.equal(code, 1, stderr);
  return stderr.trim();
}

/** A web server that writes where it can, and ends at once when it is told to. */
function serve(...options: string[]): string {
  const script =
    'mkdir -p /state; echo layer >> /state/file; echo hello > /index.html; exec httpd -f -p 80 -h /';
  return docker(
    ...['run', '-d', '--name', 'app', '--stop-signal', 'KILL', ...options, 'base:1', 'sh', '-c', script],
  );
}

async function page(port: number): Promise<string> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { Connection: 'close' } });
      return await response.text();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

const answers = async (port: number) =>
  fetch(`http://127.0.0.1:${port}/`, { headers: { Connection: 'close' } }).then(
    () => true,
    () => false,
  );

const identity = `{{.Id}} {{.Created}} {{.Name}} {{.State.Running}}
{{range .NetworkSettings.Networks}}{{.NetworkID}} {{.IPAddress}} {{.MacAddress}} {{end}}`;

describe('an update of a running container', () => {
  test('gives it other ports, variables and mounts, and keeps all else', async () => {
    const [first, second] = [await freePort(), await freePort()];
    const options = [
      '-p',
      `${first}:80`,
      '-e',
      'A=1',
      '-e',
      'GONE=1',
      '-v',
      '/anonymous',
      '-v',
      'data:/data',
    ];
    const id = serve(...options, '--health-cmd', 'true', '--health-interval', '1s');
    inside('sh', '-c', 'echo kept > /anonymous/file; echo kept > /data/file; echo more >> /state/file');
    assert.equal(await page(first), 'hello\n');
    const before = show(identity);
    const started = show('{{.State.StartedAt}}');
    const volume = show('{{range .Mounts}}{{if eq .Destination "/anonymous"}}{{.Name}}{{end}}{{end}}');

    const changes = ['-p', `${second}:80`, '-e', 'A=2', '-e', 'B=3', '--env-rm', 'GONE'];
    assert.equal(update(...changes, '-v', 'state:/state', '--mount-rm', '/data', 'app'), 'app');

    assert.equal(show(identity), before);
    assert.ok(show('{{.State.StartedAt}}') > started);
    assert.equal(await page(second), 'hello\n');
    assert.equal(await answers(first), false);
    const env = inside('env').split('\n');
    assert.ok(env.includes('A=2') && env.includes('B=3') && !env.some((entry) => entry.startsWith('GONE')));
    assert.equal(inside('cat', '/anonymous/file'), 'kept');
    assert.equal(
      show('{{range .Mounts}}{{.Destination}} {{.Name}},{{end}}'),
      `/anonymous ${volume},/state state,`,
    );
    // A new volume is filled from where it is mounted: the container's own files go on in it.
    assert.equal(inside('cat', '/state/file'), 'layer\nmore\nlayer');
    assert.equal(engine.docker(['exec', 'app', 'ls', '/data/file']).code, 1);
    assert.deepEqual(docker('volume', 'ls', '-q').split('\n').sort(), ['data', 'state', volume].sort());
    assert.equal(docker('volume', 'rm', 'data'), 'data');
    assert.match(engine.docker(['volume', 'rm', 'state']).stderr, /volume is in use/);

    const events = docker(
      'events',
      '--since',
      '60',
      '--until',
      untilNow(),
      '--filter',
      `container=${id}`,
      '--filter',
      'type=container',
      '--format',
      '{{.Action}}',
    );
    assert.match(events.replace(/\n(exec|health).*/g, ''), /start\nkill\ndie\nstop\nupdate\nstart$/);
    const [run] = engine.gantry(['runs', 'app', '--format', '{{.Explanation}}']).stdout.split('\n');
    assert.equal(run, 'It ended as it was told to: reconfigure (SIGKILL), exit code 137.');
    await until(() => show('{{.State.Health.Status}}') === 'healthy', 'it is not healthy', 60);
  });

  test('of ports and labels does not touch its process', async () => {
    const [first, second, third] = [await freePort(), await freePort(), await freePort()];
    serve('-p', `${first}:80`, '-p', `127.0.0.1:${second}:81`, '--label', 'a=1', '--label', 'b=1');
    assert.equal(await page(first), 'hello\n');
    const pid = show('{{.State.Pid}}');
    update('-p', `${third}:80`, '--publish-rm', '81', '-l', 'a=2', '--label-rm', 'b', '-l', 'c', 'app');
    assert.equal(await page(third), 'hello\n');
    assert.equal(await answers(first), false);
    assert.equal(docker('port', 'app', '80/tcp').split('\n')[0], `0.0.0.0:${third}`);
    assert.equal(
      show('{{json .HostConfig.PortBindings}} {{json .Config.Labels}}'),
      `{"80/tcp":[{"HostIp":"","HostPort":"${third}"}]} {"a":"2","c":""}`,
    );
    assert.equal(show('{{.State.Pid}}'), pid);
    // The port given up is another's to take; one that is taken is refused, and nothing changes.
    docker('run', '-d', '--name', 'other', '-p', `${first}:80`, 'base:1', 'sleep', '1000');
    assert.match(
      refused('-p', `${first}:80`, 'app'),
      /Bind for 0\.0\.0\.0:\d+ failed: port is already allocated/,
    );
    assert.equal(await page(third), 'hello\n');
    // As before also after a restart of the engine, which takes the ports up again.
    await engine.end('SIGKILL');
    await engine.start();
    assert.equal(await page(third), 'hello\n');
    assert.equal(show('{{.State.Pid}}'), pid);
  });

  test('that cannot be leaves it running', async () => {
    const foreign = createServer().listen(0);
    try {
      const { port } = foreign.address() as { port: number };
      serve('-e', 'A=1');
      const before = show('{{.State.Pid}} {{json .Config.Env}} {{json .HostConfig.PortBindings}}');
      assert.match(refused('-e', 'A=2', '-p', `${port}:80`, 'app'), /address already in use/);
      assert.match(
        refused('--env-rm', 'NOPE', '-e', 'A=2', 'app'),
        /the container has no environment variable NOPE/,
      );
      assert.match(refused('--publish-rm', '80', 'app'), /the container has no published port 80\/tcp/);
      assert.match(refused('--mount-rm', '/nope', 'app'), /the container has no mount at \/nope/);
      assert.match(refused('--label-rm', 'nope', 'app'), /the container has no label nope/);
      assert.match(
        refused('--mount', 'type=bind,src=/nope,dst=/x', '-v', '/y', 'app'),
        /bind source path does not exist: \/nope/,
      );
      assert.match(refused('-v', 'a:/x', '-v', 'b:/x', 'app'), /Duplicate mount point: \/x/);
      assert.match(refused('-v', 'a:/x:what', 'app'), /invalid mode: what/);
      assert.match(refused('app'), /you must provide one or more flags/);
      assert.equal(show('{{.State.Pid}} {{json .Config.Env}} {{json .HostConfig.PortBindings}}'), before);
      assert.equal(docker('volume', 'ls', '-q'), '');
    } finally {
      foreign.close();
    }
  });

  test('that does not start is undone', async () => {
    const file = join(engine.directory, 'file');
    writeFileSync(file, '');
    const port = await freePort();
    serve('-p', `${port}:80`, '-e', 'A=1', '-v', '/anonymous', '--restart', 'always');
    inside('touch', '/anonymous/kept');
    await page(port);
    const before = show(`${identity} {{json .Config}} {{json .HostConfig}} {{json .Mounts}}`);
    // A file cannot be mounted over a directory, which only the start finds out.
    const error = refused('-e', 'A=2', '-v', '/made', '-v', `${file}:/state`, 'app');
    assert.match(
      error,
      /^Error response from daemon: Cannot update container app, which runs again as it was: .*mount/,
    );
    assert.equal(show(`${identity} {{json .Config}} {{json .HostConfig}} {{json .Mounts}}`), before);
    assert.equal(await page(port), 'hello\n');
    assert.equal(inside('ls', '/anonymous'), 'kept');
    assert.equal(docker('volume', 'ls', '-q').split('\n').length, 1);
    const runs = engine.gantry(['runs', 'app', '--format', '{{.Explanation}}']).stdout.split('\n');
    assert.match(runs[0] ?? '', /reconfigure \(SIGKILL\)/);
    assert.match(runs[1] ?? '', /^It did not start: /);
    assert.match(runs[2] ?? '', /^It runs\./);
  });

  test('keeps static addresses, aliases and a container of --rm', async () => {
    docker('network', 'create', '--subnet', '10.77.1.0/24', 'net');
    try {
      serve('--rm', '--network', 'net', '--ip', '10.77.1.77', '--network-alias', 'web', '-e', 'A=1');
      docker('network', 'connect', 'bridge', 'app');
      docker(
        'run',
        '-d',
        '--name',
        'other',
        '--network',
        'net',
        '--stop-signal',
        'KILL',
        'base:1',
        'sleep',
        '1000',
      );
      const before = [show(identity), show(identity, 'other')];
      update('-e', 'A=2', 'app');
      update('-e', 'A=2', 'other');
      assert.deepEqual([show(identity), show(identity, 'other')], before);
      assert.equal(inside('sh', '-c', 'echo $A'), '2');
      assert.match(docker('exec', 'other', 'nslookup', 'web'), /10\.77\.1\.77/);
      docker('stop', 'app');
      await until(() => docker('ps', '-aq', '--filter', 'name=app') === '', 'it is not removed', 60);
    } finally {
      engine.docker(['rm', '-f', 'app', 'other']);
      docker('network', 'rm', 'net');
    }
  });

  test('mends one that its policy starts again and again', async () => {
    docker(
      'run',
      '-d',
      '--name',
      'app',
      '--restart',
      'always',
      '--stop-signal',
      'KILL',
      'base:1',
      'sh',
      '-c',
      '[ "$A" = 2 ] && exec sleep 1000; exit 1',
    );
    await until(() => Number(show('{{.RestartCount}}')) >= 2, 'it is not started again', 120);
    update('-e', 'A=2', 'app');
    const started = show('{{.State.StartedAt}}');
    await sleep(1000);
    assert.equal(show('{{.State.Status}} {{.State.StartedAt}}'), `running ${started}`);
  });
});

describe('an update', () => {
  test('of a stopped container counts from its next start on', async () => {
    const port = await freePort();
    docker(
      'create',
      '--name',
      'app',
      '--stop-signal',
      'KILL',
      '-v',
      '/data',
      '-e',
      'A=1',
      'base:1',
      'sh',
      '-c',
      'echo $A; ls /; exec httpd -f -p 80 -h /etc',
    );
    const limits = ['--memory', '64m', '--memory-swap', '64m'];
    update('-e', 'A=2', '-p', `${port}:80`, '-v', 'data:/data', '-v', '/more', ...limits, 'app');
    assert.equal(show('{{.State.Status}} {{.HostConfig.Memory}}'), 'created 67108864');
    docker('start', 'app');
    await page(port);
    assert.match(docker('logs', 'app'), /^2\n[^]*more/);
    assert.match(show('{{json .Mounts}}'), /"Name":"data"/);
  });

  test('with --dry-run tells what it would change', () => {
    serve('-e', 'A=1', '-v', '/data', '-p', '127.0.0.1::80');
    const before = show('{{.State.Pid}} {{json .Config}} {{json .HostConfig}}');
    const [how, ...lines] = update(
      '--dry-run',
      '-e',
      'A=2',
      '-p',
      '8080:80',
      '-v',
      '/srv:/data:ro',
      '-l',
      'x=y',
      'app',
    ).split('\n');
    assert.equal(how, 'app: would be stopped and started again');
    assert.deepEqual(
      lines.map((line) => line.split(/ {3,}/)),
      [
        ['KIND', 'NAME', 'OLD', 'NEW'],
        ['port', '80/tcp', '127.0.0.1:any', '8080'],
        ['env', 'A', '1', '2'],
        ['mount', '/data', 'volume', '/srv:/data:ro'],
        ['label', 'x', '-', 'y'],
      ],
    );
    assert.equal(update('--dry-run', '-e', 'A=1', 'app'), 'app: nothing to change');
    assert.match(update('--dry-run', '-l', 'x=y', 'app'), /^app: would be changed as it is\n/);
    assert.equal(show('{{.State.Pid}} {{json .Config}} {{json .HostConfig}}'), before);
    // What is so already is no reason to stop anything.
    update('-e', 'A=1', '-v', '/data', 'app');
    assert.equal(show('{{.State.Pid}} {{json .Config}} {{json .HostConfig}}'), before);
  });
});
