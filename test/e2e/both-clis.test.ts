import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { startDaemon } from '../support/daemon.ts';
import { dockerfile } from '../support/docker-build.ts';
import { dockerVersion } from '../support/docker-version.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';
import { busyboxTar } from '../support/rootfs.ts';

// What docker's CLI prints and ends with, ours does too.

const engine = await startDaemon({ after });
const begun = (Date.now() / 1000).toFixed(3);
engine.ok([
  'network',
  'create',
  '--subnet',
  '10.203.18.0/24',
  '--aux-address',
  'router=10.203.18.9',
  '--label',
  'a=1',
  'own',
]);
engine.ok(['volume', 'create', 'data']);
const labels = ['--label', 'com.example.my-label=x', '--network', 'own', '-p', '127.0.0.1::80'];
engine.ok(['run', '-d', '--name', 'web', ...labels, '-v', 'data:/data', 'base:1', 'sleep', '1000']);
const health = ['--health-cmd', 'true', '--health-interval', '90s', '--health-timeout', '1500ms'];
engine.ok(['create', '--name', 'checked', ...health, '-m', '32m', 'base:1', 'true']);
const ended = (Date.now() / 1000).toFixed(3);

/** Any release of docker's says the same here. */
const same: readonly (readonly string[])[] = [
  ['inspect', '-f', '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}', 'web'],
  ['inspect', '-f', '{{.State.Health.Status}}', 'web'],
  ['inspect', '-f', '{{.Nope}}', 'web'],
  ['inspect', '-f', '{{.ID}} {{.Id}}', 'web'],
  ['inspect', '-f', '{{.ID}} {{.HostConfig.NanoCPUs}} {{.HostConfig.DNS}}', 'web'],
  ['inspect', '-f', '{{.Id}} {{.HostConfig.NanoCpus}} {{.HostConfig.Dns}}', 'web'],
  [
    'inspect',
    '-f',
    '{{range $port, $on := .NetworkSettings.Ports}}{{$port}} {{(index $on 0).HostIP}}{{end}}',
    'web',
  ],
  [
    'inspect',
    '-f',
    '{{.Config.Labels.nosuch}} {{.Config.Labels.nosuch.deeper}} {{index .Config.Labels "b"}}',
    'web',
  ],
  ['inspect', '-f', '{{.NetworkSettings.Networks.own.IPAddress}} {{.NetworkSettings.Networks.none}}', 'web'],
  [
    'inspect',
    '-f',
    '{{.Config.Entrypoint}} {{.Config.Shell}} {{.HostConfig.Sysctls}} {{.HostConfig.Init}}',
    'web',
  ],
  [
    'inspect',
    '-f',
    '{{json .Config.Entrypoint}} {{json .Config.StopSignal}} {{json .HostConfig.Init}}',
    'web',
  ],
  ['inspect', '-f', '{{json .State.Health}} {{json .NetworkSettings.Ports}} {{json .Mounts}}', 'web'],
  ['inspect', '-f', '{{range .Mounts}}{{.Type}} {{.Name}} {{.Driver}} {{.RW}}{{end}}', 'web'],
  ['inspect', '-f', '{{range index .NetworkSettings.Ports "81/tcp"}}{{.HostPort}}{{else}}none{{end}}', 'web'],
  ['inspect', '-f', '{{json (index .NetworkSettings.Ports "81/tcp")}}', 'web'],
  ['inspect', '-f', '{{.Id}} {{json (index .NetworkSettings.Ports "81/tcp")}}', 'web'],
  ['inspect', '-f', '{{.Id}} {{index .Config.Labels "none"}}', 'web'],
  ['inspect', '-f', '{{range .Config.Env}}{{.}}{{"\\n"}}{{end}}', 'web'],
  ['inspect', '-f', '{{join .Args "\\n"}}', 'web'],
  ['inspect', '-f', '{{.Name}}\\t{{.Id}}', 'web'],
  ['inspect', '-f', '{{.Mounts}} {{.State}}', 'web'],
  ['inspect', '-f', '{{.Config.ExposedPorts}} {{json .Config.ExposedPorts}} {{.Config.Volumes}}', 'web'],
  ['inspect', '-f', '{{len .Config.OnBuild}} {{range .Config.OnBuild}}x{{else}}-{{end}}', 'web'],
  ['inspect', '-f', '{{.HostConfig.RestartPolicy}} {{.HostConfig.LogConfig}}', 'web'],
  ['inspect', '-f', '{{.Config.Healthcheck.Test}} {{.Config.Healthcheck.Retries}}', 'checked'],
  [
    'inspect',
    '-f',
    '{{with .Config.Healthcheck}}{{.Timeout}} {{eq .Interval 90000000000}} {{if .StartPeriod}}x{{end}}{{end}}',
    'checked',
  ],
  [
    'inspect',
    '-f',
    '{{and false (index .Args 99)}} {{or .Name (index .Args 99)}} {{and .Config.Healthcheck true}}',
    'web',
  ],
  [
    'image',
    'inspect',
    '-f',
    '{{.ID}} {{.Config.StopSignal}} {{.Config.Healthcheck}} {{.Config.Labels.x}}',
    'base:1',
  ],
  [
    'network',
    'inspect',
    '-f',
    '{{.ID}} {{.Labels.a}}{{.Labels.b}} {{range .IPAM.Config}}{{.Subnet}}{{.IPRange}}{{end}}',
    'own',
  ],
  [
    'network',
    'inspect',
    '-f',
    '{{.Created}} {{json .Created}} {{range .IPAM.Config}}{{.AuxAddress}}{{end}}',
    'own',
  ],
  ['volume', 'inspect', '-f', '{{.Name}} {{.Status}} {{.UsageData}} {{.Labels.x}}', 'data'],
  [
    'events',
    '--since',
    String(begun),
    '--until',
    '0s',
    '--format',
    '{{.Type}} {{.Status}} {{.ID}} {{.From}} {{.Actor.ID}}',
  ],
  [
    'events',
    '--since',
    String(begun),
    '--until',
    '0s',
    '--format',
    '{{.Action}} {{.Scope}} {{.Actor.Attributes.name}} {{.Actor.Attributes.no}}',
  ],
  ['events', '--since', begun, '--until', ended, '--format', '{{json .Actor.ID}}'],
  ['system', 'df', '-v', '--format', '{{range .Volumes}}{{.Name}} {{.Links}}\\n{{end}}'],
  ['system', 'df', '-v', '--format', '{{range .Images}}{{.Repository}}:{{.Tag}} {{.ID}} {{.Digest}}{{end}}'],
  ['system', 'df', '-v', '--format', '{{range .Containers}}{{.ID}} {{.Size}} {{.Label "none"}}{{end}}'],
  ['inspect', '-f', '{{json .Config.Cmd', 'web'],
  ['images', '--format', '{{.Repository}}@{{.Digest}}'],
  ['images', '--format', 'table {{.Repository}}\\t{{upper .Tag}}\\t{{.Digest}}'],
  [
    'ps',
    '-a',
    '--format',
    'table {{.Names}}\\t{{.Label "com.example.my-label"}}\\t{{json .State}}\\t{{truncate .Image 4}}',
  ],
  ['ps', '-a', '--format', '{{.Names}} {{and false (slice .Names 99)}} {{.Label "none"}}'],
];

/** Whole structs, whose fields come and go from release to release, and words that have changed. */
const sameAs28: readonly (readonly string[])[] = [
  ['inspect', '-f', '{{.Config}} {{.NetworkSettings.Networks.own}}', 'web'],
  ['inspect', '-f', '{{.Config.Healthcheck}} {{json .Config.Healthcheck.Interval}}', 'checked'],
  ['network', 'inspect', '-v', '-f', '{{.}}', 'own'],
  ['volume', 'inspect', '-f', '{{.}} {{.Mountpoint}}', 'data'],
  ['ps', '-a', '-q', '--format', '{{.Names}}'],
  ['inspect', '-f', 'json', 'missing'],
  ['inspect', '--type', 'container', 'missing', 'web', '-f', '{{.Name}}'],
  ['network', 'rm', '-f', 'missing'],
];

for (const args of dockerVersion < 28 ? same : [...same, ...sameAs28]) {
  test(`docker and gantry print the same for ${args.join(' ')}`, () => {
    const [docker, gantry] = [engine.docker(args), engine.gantry(args)];
    assert.equal(gantry.stdout, docker.stdout);
    assert.equal(gantry.code, docker.code);
    assert.equal(gantry.stderr, docker.stderr);
  });
}

test('docker and gantry tell the same of a build, ours without colours', (t) => {
  const context = temporaryDirectory(t);
  writeTree(context, dockerfile('FROM base:1', 'RUN echo told >&2'));
  const [docker, gantry] = (['docker', 'gantry'] as const).map((cli) => {
    const { code, stdout } = engine[cli](['build', '--no-cache', '-t', 'told:1', context]);
    assert.equal(code, 0, stdout);
    // Ours sends times to the nanosecond, in a block of their own.
    return stdout.replaceAll(/[0-9a-f]{12}/g, 'ID').replace(/ [23]\.\d+kB/, ' SIZE');
  });
  assert.match(gantry ?? '', /^Sending build context to Docker daemon {2}SIZE\r\r\n/);
  assert.match(docker ?? '', /\u001b\[91mtold\n\u001b\[0m/);
  assert.equal(gantry, docker?.replaceAll(/\u001b\[\d+m/g, ''));
});

test('gantry system df -v --format json has the rows of all lists', () => {
  const { stdout } = engine.gantry(['system', 'df', '-v', '--format', 'json']);
  const lists = JSON.parse(stdout) as Readonly<Record<string, readonly { readonly Name?: string }[]>>;
  assert.deepEqual(Object.keys(lists), ['Images', 'Containers', 'Volumes', 'BuildCache']);
  assert.deepEqual(
    lists['Volumes']?.map(({ Name }) => Name),
    ['data'],
  );
});

const clis = [
  (args: readonly string[]) => engine.gantry(args),
  (args: readonly string[]) => engine.since(28, args),
];

/** Unusual words that both take or refuse. */
const created: readonly string[] = [
  '--stop-timeout 0x10 --cpu-shares 1_000 --oom-score-adj +010',
  '--ulimit nofile=10:20 --ulimit nofile=5:6',
  '--restart on-failure:',
  '--expose 80/ --expose 81-82/udp',
  '--cpus 25e-2',
  '--health-cmd true --health-interval 5s',
  '--device a',
  '--network= ',
  '--network own --network own',
  '--network own --network none',
  '--restart on-failure:-1',
];

for (const line of created) {
  test(`docker and gantry make the same of create ${line}`, () => {
    const [gantry, docker] = clis.map((cli) => {
      const { code, stderr } = cli(['create', '--name', 'it', ...line.trim().split(' '), 'base:1', 'true']);
      const why = stderr.replace(/^(docker|gantry): /, '').split('\n')[0];
      if (code !== 0) return { code, why };
      const form = '[{{json .Config}},{{json .HostConfig}}]';
      const [config, host] = JSON.parse(engine.ok(['inspect', '-f', form, 'it'])) as [object, object];
      engine.ok(['rm', '-v', 'it']);
      return { code, config: { ...config, Hostname: '' }, host };
    });
    assert.deepEqual(gantry, docker);
  });
}

test('run -d prints the id of a container that did not start', () => {
  for (const cli of clis) {
    const result = cli(['run', '-d', '--name', 'unstarted', 'base:1', 'missing']);
    assert.equal(result.code, 127, result.stderr);
    assert.equal(result.stdout.trim(), engine.ok(['inspect', '-f', '{{.Id}}', 'unstarted']));
    engine.ok(['rm', 'unstarted']);
  }
});

const ends: readonly (readonly string[])[] = [
  ['rmi', 'missing'],
  ['run', '-u=', 'base:1', 'true'],
  ['rmi', '-f', 'missing', 'missing:too'],
  ['rmi', '-f', 'missing', 'UPPER'],
  ...['container', 'image', 'network', 'volume', 'system'].map((kind) => [kind, 'prune']),
];

for (const args of ends) {
  test(`docker and gantry end the same for ${args.join(' ')}, answered with no`, () => {
    const [docker, gantry] = [engine.docker(args, { input: 'n\n' }), engine.gantry(args, { input: 'n\n' })];
    assert.equal(gantry.code, docker.code, gantry.stderr);
  });
}

for (const command of ['rmi', 'history', 'push', 'image inspect']) {
  test(`${command} --platform refuses an image of another platform`, () => {
    engine.ok(['tag', 'base:1', '127.0.0.1:1/other:1']);
    for (const cli of clis) {
      const result = cli([...command.split(' '), '--platform', 'linux/s390x', '127.0.0.1:1/other:1']);
      assert.equal(result.code, 1, result.stdout);
      assert.match(
        result.stderr,
        /127\.0\.0\.1:1\/other:1 was found but its platform .* does not match the specified platform \(linux\/s390x\)/,
      );
    }
    assert.equal(engine.ok(['images', '-q', '127.0.0.1:1/other']).length, 12);
  });
}

test('history and rmi --platform take the platform that the image has', () => {
  const platform = engine.ok(['image', 'inspect', '-f', '{{.Os}}/{{.Architecture}}', 'base:1']);
  for (const cli of clis) {
    engine.ok(['tag', 'base:1', 'own:1']);
    for (const command of ['history', 'rmi']) {
      const result = cli([command, '--platform', platform, 'own:1']);
      assert.equal(result.code, 0, result.stderr);
    }
    assert.equal(engine.ok(['images', '-q', 'own']), '');
  }
});

test('DOCKER_DEFAULT_PLATFORM is the platform of an image that is made', () => {
  const options = { input: busyboxTar(), env: { DOCKER_DEFAULT_PLATFORM: 'linux/s390x' } };
  for (const cli of ['docker', 'gantry'] as const) {
    const { code, stderr } = engine[cli](['import', '-', 'other:1'], options);
    assert.equal(code, 0, stderr);
    assert.equal(engine.ok(['image', 'inspect', '-f', '{{.Architecture}}', 'other:1']), 's390x');
    engine.ok(['rmi', 'other:1']);
  }
});
