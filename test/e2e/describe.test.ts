import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import type { ContainerInspect } from '../../src/api/index.ts';
import { openDaemon, runCommand, type TestDaemon } from '../support/daemon.ts';

// inspect --as-run and --as-compose: what they print makes the same container again.

let engine: TestDaemon;

before(async () => {
  engine = await openDaemon();
  const context = join(engine.directory, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  engine.ok(['build', '-q', '-t', 'app:1', context]);
  engine.ok(['network', 'create', '--subnet', '10.213.0.0/24', 'front']);
  engine.ok(['network', 'create', 'back']);
  engine.ok(['volume', 'create', 'data']);
  engine.ok(['create', '--name', 'other', '-v', '/shared', 'base:1', 'true']);
});
after(async () => {
  await engine.destroy();
});

const dockerfile = `FROM base:1
ENV COLOUR=blue SIZE=3
LABEL tier=web
WORKDIR /srv
EXPOSE 80
VOLUME /cache
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT ["echo"]
CMD ["hello"]
`;

/** What follows `create --name it`; the same is expected after `gantry run --name it`, unless another text is given. */
const lines: readonly (readonly [line: string, expected?: string])[] = [
  ['app:1'],
  ['app:1 bye now'],
  [`--env A=1 --env 'B=two words' --env COLOUR=red app:1`],
  [`--label a --label tier=db app:1`, '--label a= --label tier=db app:1'],
  [`-it -u 1000:1000 -w /tmp app:1`, '--user 1000:1000 --workdir /tmp --interactive --tty app:1'],
  [`--hostname web --domainname example.org app:1 sh -c 'echo "$HOME" it'\\''s'`],
  ["--entrypoint sh app:1 -c 'exit 3'"],
  ["--entrypoint '' app:1 sleep 1"],
  ['--stop-signal SIGKILL --stop-timeout 3 app:1'],
  ['--stop-timeout 0 app:1'],
  // The same as the image's, but it takes the image's command away.
  ['--entrypoint echo app:1'],
  [
    `--health-cmd 'test -e /x' --health-interval 1m30s --health-timeout 500ms --health-start-period 2h --health-retries 5 app:1`,
  ],
  ['--no-healthcheck app:1'],
  [
    '-m 512m --memory-reservation 100m --memory-swap 2g --cpus 1.5 --cpu-shares 512 --cpuset-cpus 0 --pids-limit 50 app:1',
    '--memory 512m --memory-reservation 100m --memory-swap 2g --cpus 1.5 --cpu-shares 512 --cpuset-cpus 0 --pids-limit 50 app:1',
  ],
  ['--memory 6291457 app:1'],
  ['--cpu-period 50000 --cpu-quota 25000 --oom-score-adj 500 app:1'],
  ['--ulimit nofile=1024:2048 --ulimit core=0 --shm-size 128m app:1'],
  ['--cap-add NET_ADMIN --cap-drop CHOWN --security-opt no-new-privileges --group-add 10 app:1'],
  ['--security-opt systempaths=unconfined app:1'],
  [`--security-opt 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}' app:1`],
  ['--privileged --read-only --init app:1'],
  ['--init=false --pid host --ipc host --uts host app:1'],
  ['--device /dev/null --device /dev/zero:/dev/nil:r app:1'],
  [
    '--device-read-bps /dev/null:1048576 --device-write-bps /dev/null:4096 --device-read-iops /dev/null:120 --device-write-iops /dev/null:30 app:1',
  ],
  ['--sysctl net.ipv4.ip_forward=1 app:1'],
  ['--restart on-failure:3 app:1'],
  ['--rm app:1'],
  ['--log-opt max-size=1m --log-opt max-file=2 app:1'],
  ['--log-driver none app:1'],
  ['--annotation a=b app:1'],
  ['--publish 8080:80 --publish 127.0.0.1:5353:53/udp --publish 90 --expose 7000 app:1'],
  ['--publish-all app:1'],
  ['--dns 10.0.0.1 --dns-search example.org --dns-option ndots:2 --add-host db:10.0.0.9 app:1'],
  ['--link other:db app:1'],
  ['--network front --link other:db app:1'],
  ['--network none app:1'],
  ['--network host app:1'],
  ['--network container:other app:1'],
  ['--network front --network-alias web --network-alias www --ip 10.213.0.20 app:1'],
  ['--network front --network name=back,alias=b app:1'],
  ['--network bridge --network name=back,alias=b app:1'],
  ['--network front --mac-address 92:d0:c6:0a:29:33 app:1'],
  ['--mac-address 92:d0:c6:0a:29:33 app:1'],
  [
    '--network name=front,driver-opt=com.docker.network.endpoint.ifname=web0,gw-priority=5 --ip 10.213.0.21 app:1',
  ],
  [
    '--network front --network name=back,mac-address=92:d0:c6:0a:29:33,driver-opt=com.docker.network.endpoint.ifname=db0,gw-priority=-1 app:1',
  ],
  ['--volume /tmp:/host:ro --volume data:/data --volume /anonymous app:1'],
  [
    '--mount type=bind,src=/tmp,dst=/host,readonly --mount type=volume,src=data,dst=/data,volume-nocopy app:1',
  ],
  ['--mount type=tmpfs,dst=/t,tmpfs-size=1048576,tmpfs-mode=700 --tmpfs /run:size=1m app:1'],
  ['--volumes-from other:ro app:1'],
];

function inspect(): ContainerInspect {
  return (JSON.parse(engine.ok(['inspect', '--type', 'container', 'it'])) as [ContainerInspect])[0];
}

/** What the creator chose: neither ids nor times, nor what the engine made up. */
function choices({ Config, HostConfig, NetworkSettings }: ContainerInspect) {
  const { Hostname, ...config } = Config;
  const networks = Object.entries(NetworkSettings.Networks).map(([name, endpoint]) => ({
    name,
    IPAMConfig: endpoint.IPAMConfig,
    MacAddress: endpoint.MacAddress,
    DriverOpts: endpoint.DriverOpts,
    GwPriority: endpoint.GwPriority,
    aliases: (endpoint.Aliases ?? []).filter((alias) => alias !== Hostname),
  }));
  return { config, HostConfig, hostname: /^[0-9a-f]{12}$/.test(Hostname) ? '' : Hostname, networks };
}

const shell = (line: string) => runCommand('sh', ['-c', line], { env: { GANTRY_HOST: engine.host } });
const gantry = `"${join(import.meta.dirname, '../../bin/gantry')}"`;

describe('inspect --as-run', () => {
  for (const [line, expected = line] of lines) {
    test(`tells ${line}`, () => {
      const made = shell(`${gantry} create --name it ${line}`);
      assert.equal(made.code, 0, made.stderr);
      const before = inspect();
      const told = engine.gantry(['inspect', '--as-run', 'it']).stdout;
      engine.ok(['rm', '-v', 'it']);
      const again = shell(told.replace('gantry run', `${gantry} create`));
      assert.equal(again.code, 0, `${told}${again.stderr}`);
      const after = inspect();
      engine.ok(['rm', '-v', 'it']);
      assert.deepEqual(sorted(told), sorted(`gantry run --name it ${expected}\n`));
      assert.deepEqual(choices(after), choices(before));
    });
  }

  test('names a detached container and one that is missing', () => {
    engine.ok(['run', '-d', '--name', 'it', 'base:1', 'sleep', '1000']);
    const told = engine.gantry(['container', 'inspect', '--as-run', 'nosuch', 'it']);
    engine.ok(['rm', '-f', 'it']);
    assert.equal(told.code, 1);
    assert.equal(told.stdout, 'gantry run --detach --name it base:1 sleep 1000\n');
    assert.match(told.stderr, /No such container: nosuch/);
  });

  test('goes by the log driver that the daemon gives', async () => {
    await engine.end('SIGTERM');
    await engine.start(['--log-driver', 'local', '--log-opt', 'max-file=3']);
    const cases = [
      ['', '--log-opt max-file=3'],
      ['--log-driver local --log-opt max-size=1m', '--log-opt max-file=3 --log-opt max-size=1m'],
      ['--log-driver json-file', '--log-driver json-file'],
    ] as const;
    for (const [options, expected] of cases) {
      assert.equal(shell(`${gantry} create --name it ${options} app:1`).code, 0);
      const before = inspect();
      const told = engine.gantry(['inspect', '--as-run', 'it']).stdout;
      engine.ok(['rm', '-v', 'it']);
      assert.deepEqual(sorted(told), sorted(`gantry run --name it ${expected} app:1\n`));
      assert.equal(shell(told.replace('gantry run', `${gantry} create`)).code, 0);
      assert.deepEqual(inspect().HostConfig.LogConfig, before.HostConfig.LogConfig);
      engine.ok(['rm', '-v', 'it']);
    }
    await engine.end('SIGTERM');
    await engine.start();
  });

  test('names links that only network connect can make, and so does --as-compose', () => {
    engine.ok(['create', '--name', 'it', '--network', 'front', '--link', 'other:first', 'app:1']);
    engine.ok(['network', 'connect', '--link', 'other:db', '--alias', 'b', 'back', 'it']);
    const [told, file] = ['--as-run', '--as-compose'].map((form) => engine.gantry(['inspect', form, 'it']));
    engine.ok(['rm', 'it']);
    assert.equal(told?.code, 0, told?.stderr);
    assert.match(told?.stdout ?? '', /^# run has no word for --link other:db of network back\ngantry run /);
    const again = shell((told?.stdout ?? '').replace('gantry run', `${gantry} create`));
    assert.equal(again.code, 0, again.stderr);
    const { front, back } = inspect().NetworkSettings.Networks;
    engine.ok(['rm', 'it']);
    assert.deepEqual(front?.Links, ['other:first']);
    assert.ok(back?.Aliases?.includes('b'));
    assert.match(file?.stdout ?? '', /^# Compose has no word for --link other:db of network back\n/);
  });

  test('cannot be had together with another form', () => {
    for (const other of ['--as-compose', '--format={{.Id}}']) {
      const told = engine.gantry(['inspect', '--as-run', other, 'it']);
      assert.equal(told.code, 1);
      assert.match(told.stderr, /only one of --as-run, --as-compose and --format/);
    }
  });
});

/** The order of flags is free. */
function sorted(command: string): string[] {
  return command
    .trim()
    .split(/ (?=--|app:1)/)
    .sort();
}

test('inspect --as-compose makes the container again', () => {
  const options = [
    ...['--name', 'it', '-h', 'web', '-e', 'PRICE=5$', '-l', 'a=b', '-u', '1000', '-m', '64m', '--init'],
    ...['-p', '127.0.0.1::80', '--cap-drop', 'CHOWN', '--ulimit', 'nofile=1024:2048', '--stop-timeout', '3'],
    ...[
      '-v',
      'data:/data',
      '--mount',
      'type=tmpfs,dst=/t',
      '--log-opt',
      'max-size=1m',
      '--restart',
      'always',
    ],
    ...['--network', 'front', '--network-alias', 'www', '--health-cmd', 'true', '--health-interval', '5s'],
    ...['--rm=false', '--sysctl', 'net.ipv4.ip_forward=1'],
  ];
  engine.ok(['create', ...options, 'app:1', 'sleep', '1000']);
  const before = inspect();
  const file = engine.gantry(['inspect', '--as-compose', 'it']);
  assert.equal(file.code, 0, file.stderr);
  assert.doesNotMatch(file.stdout, /no word/);
  engine.ok(['rm', '-v', 'it']);
  const directory = join(engine.directory, 'project');
  mkdirSync(directory);
  writeFileSync(join(directory, 'docker-compose.yml'), file.stdout);
  const compose = (...args: string[]) =>
    runCommand('docker-compose', args, { cwd: directory, env: { DOCKER_HOST: engine.host } });
  const up = compose('up', '--no-start');
  assert.equal(up.code, 0, `${file.stdout}${up.stderr}`);
  const after = inspect();
  engine.ok(['rm', '-v', 'it']);
  const { Config: had, HostConfig: hostHad } = before;
  const { Config: has, HostConfig: hostHas } = after;
  for (const key of ['Hostname', 'User', 'Cmd', 'Entrypoint', 'StopTimeout', 'Healthcheck'] as const) {
    assert.deepEqual(has[key], had[key], key);
  }
  assert.deepEqual([...has.Env].sort(), [...had.Env].sort());
  assert.equal(has.Labels['a'], 'b');
  const keys = [
    'Memory',
    'Init',
    'CapDrop',
    'Ulimits',
    'LogConfig',
    'RestartPolicy',
    'PortBindings',
  ] as const;
  for (const key of [...keys, 'NetworkMode', 'Sysctls'] as const) {
    assert.deepEqual(hostHas[key], hostHad[key], key);
  }
  assert.deepEqual(destinations(after), destinations(before));
  assert.ok(after.NetworkSettings.Networks['front']?.Aliases?.includes('www'));
});

test('inspect --as-compose names what Compose cannot say', () => {
  engine.ok(['create', '--name', 'it', '--rm', '-P', 'app:1']);
  const file = engine.gantry(['inspect', '--as-compose', 'it']).stdout;
  engine.ok(['rm', 'it']);
  assert.match(file, /^# Compose has no word for --rm\n# Compose has no word for --publish-all\nservices:/);
});

/** The file, and the remarks before it. */
function composeOf(...options: string[]): string {
  const made = engine.gantry(['create', '--name', 'it', ...options, 'app:1']);
  assert.equal(made.code, 0, made.stderr);
  const file = engine.gantry(['inspect', '--as-compose', 'it']).stdout;
  engine.ok(['rm', '-v', 'it']);
  return file;
}

test('inspect --as-compose tells the options of mounts, or names those that Compose has no word for', () => {
  const file = composeOf(
    ...['--mount', 'type=volume,src=data,dst=/data,volume-subpath=in,volume-label=a=b,volume-driver=local'],
    ...['--mount', 'type=tmpfs,dst=/t,tmpfs-mode=700'],
    ...['--mount', 'type=bind,src=/tmp,dst=/host,readonly,bind-recursive=writable'],
    ...['--mount', 'type=bind,src=/tmp,dst=/flat,bind-recursive=disabled'],
  );
  assert.match(
    file,
    /^# Compose has no word for volume-driver=local,volume-label=a=b of --mount \/data\nservices:/,
  );
  assert.match(file, /target: \/data\n +volume:\n +subpath: in\n/);
  assert.match(file, /target: \/t\n +tmpfs:\n +mode: 448\n/);
  assert.match(file, /target: \/host\n +read_only: true\n +bind:\n +recursive: writable\n/);
  assert.match(file, /target: \/flat\n +bind:\n +recursive: disabled\n/);
});

test('inspect --as-compose tells the settings of endpoints, and which networks it cannot join', () => {
  const device = 'com.docker.network.endpoint.ifname';
  const joined = composeOf(
    ...['--network', `name=front,driver-opt=${device}=web0,gw-priority=5`],
    ...['--mac-address', '92:d0:c6:0a:29:33'],
  );
  assert.match(
    joined,
    /networks:\n +front:\n +mac_address: 92:d0:c6:0a:29:33\n +driver_opts:\n +com\.docker\.network\.endpoint\.ifname: web0\n +gw_priority: 5\n/,
  );
  const bridged = composeOf(
    '--network',
    'name=bridge,gw-priority=5',
    '--network',
    'back',
    '--mac-address',
    '92:d0:c6:0a:29:33',
  );
  assert.match(
    bridged,
    /^# Compose has no word for gw-priority=5 of --network bridge\n# Compose has no word for --network back beside bridge\nservices:/,
  );
  assert.match(bridged, /network_mode: bridge\n/);
  assert.match(bridged, /mac_address: 92:d0:c6:0a:29:33\n/);
  const profile = '{"defaultAction":"SCMP_ACT_ALLOW"}';
  const confined = composeOf('--security-opt', `seccomp=${profile}`, '--security-opt', 'no-new-privileges');
  assert.ok(confined.startsWith(`# Compose has no word for --security-opt seccomp=${profile}\nservices:`));
  assert.match(confined, /security_opt:\n +- no-new-privileges\n/);
});

function destinations({ Mounts }: ContainerInspect): string[] {
  return Mounts.map(({ Type, Destination }) => `${Type} ${Destination}`).sort();
}
