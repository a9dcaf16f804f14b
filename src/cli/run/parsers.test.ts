import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFlags } from '../flags.ts';
import { parseCpus, parseSize, parseSwapSize, parseTimestamp } from '../sizes.ts';
import { containerFlags } from './container-flags.ts';
import { parseCsvLine } from './csv.ts';
import { parseEnvFile, resolveEnv } from './env-file.ts';
import { parseMount, parseTmpfs, parseVolumes } from './mounts.ts';
import { parseNetwork } from './network-option.ts';
import { parsePorts } from './ports.ts';
import { createRequest } from './request.ts';
import { parseDevice, parseExtraHost, parseRestartPolicy, parseThrottle, parseUlimit } from './resources.ts';

function refuses(read: () => unknown, message: string): void {
  assert.throws(read, { name: 'EngineError', code: 'invalidArgument', message });
}

test('parseSize() knows units', () => {
  assert.equal(parseSize('512m'), 512 << 20);
  assert.equal(parseSize('1.5g'), 1.5 * 2 ** 30);
  assert.equal(parseSize('64KB'), 65536);
  assert.equal(parseSize('64KiB'), 65536);
  assert.equal(parseSize('100b'), 100);
  assert.equal(parseSize('4'), 4);
  refuses(() => parseSize('x'), "invalid size: 'x'");
  refuses(() => parseSize('-1'), "invalid size: '-1'");
  assert.equal(parseSwapSize('-1'), -1);
});

test('parseCpus() gives billionths', () => {
  assert.equal(parseCpus('1.5'), 1_500_000_000);
  assert.equal(parseCpus('.5'), 500_000_000);
  assert.equal(parseCpus('1/2'), 500_000_000);
  refuses(() => parseCpus('x'), 'failed to parse x as a rational number');
});

test('parseTimestamp() takes durations, dates and unix seconds', () => {
  assert.equal(parseTimestamp('10s', 20_000), '10.000000000');
  assert.equal(parseTimestamp('1700000000.5'), '1700000000.5');
  assert.equal(parseTimestamp('2024-01-02T03:04:05.123456789Z'), '1704164645.123456789');
  refuses(() => parseTimestamp('soon'), 'failed to parse value as time or duration: "soon"');
});

test('parsePorts() reads every form', () => {
  assert.deepEqual(parsePorts(['8080:80']).bindings, { '80/tcp': [{ HostIp: '', HostPort: '8080' }] });
  assert.deepEqual(parsePorts(['80']).bindings, { '80/tcp': [{ HostIp: '', HostPort: '' }] });
  assert.deepEqual(parsePorts(['127.0.0.1:53:53/udp']).bindings, {
    '53/udp': [{ HostIp: '127.0.0.1', HostPort: '53' }],
  });
  assert.deepEqual(parsePorts(['127.0.0.1::80']).bindings, {
    '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }],
  });
  assert.deepEqual(parsePorts(['[::1]:81:80']).bindings, { '80/tcp': [{ HostIp: '::1', HostPort: '81' }] });
  assert.deepEqual(parsePorts(['8000-8001:80-81']).bindings, {
    '80/tcp': [{ HostIp: '', HostPort: '8000' }],
    '81/tcp': [{ HostIp: '', HostPort: '8001' }],
  });
  assert.deepEqual(parsePorts(['8000-8010:80']).bindings, {
    '80/tcp': [{ HostIp: '', HostPort: '8000-8010' }],
  });
  assert.deepEqual(parsePorts(['target=80,published=8080,host_ip=127.0.0.1']).bindings, {
    '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }],
  });
  assert.deepEqual(Object.keys(parsePorts([], ['90-91', '53/udp']).exposed), ['90/tcp', '91/tcp', '53/udp']);
  assert.deepEqual(parsePorts(['1.1.1.1:1:80', '2:80']).bindings['80/tcp'], [
    { HostIp: '1.1.1.1', HostPort: '1' },
    { HostIp: '', HostPort: '2' },
  ]);
});

test("parsePorts() refuses with Docker's texts", () => {
  refuses(() => parsePorts(['x']), 'invalid containerPort: x');
  refuses(() => parsePorts(['8080:x']), 'invalid containerPort: x');
  refuses(() => parsePorts(['a:80']), 'invalid hostPort: a');
  refuses(() => parsePorts(['70000:80']), 'invalid hostPort: 70000');
  refuses(() => parsePorts(['1.2.3.400:80:80']), 'invalid IP address: 1.2.3.400');
  refuses(() => parsePorts(['80/x']), 'invalid proto: x');
  refuses(
    () => parsePorts(['1-2:80-82']),
    'invalid ranges specified for container and host Ports: 80-82 and 1-2',
  );
});

test('parseVolumes() tells binds from anonymous volumes', () => {
  assert.deepEqual(parseVolumes(['/a:/b:ro', 'data:/d', '/anon', './x:/x'], '/cwd'), {
    binds: ['/a:/b:ro', 'data:/d', '/cwd/x:/x'],
    volumes: { '/anon': {} },
  });
  refuses(() => parseVolumes(['/a:/b:/c:d']), 'invalid spec: /a:/b:/c:d: too many colons');
  refuses(() => parseVolumes([':/x']), 'invalid spec: :/x: empty section between colons');
});

test('parseMount() reads options of each type', () => {
  assert.deepEqual(parseMount('type=bind,src=./a,dst=/b,readonly', '/w'), {
    Type: 'bind',
    Source: '/w/a',
    Target: '/b',
    ReadOnly: true,
  });
  assert.deepEqual(parseMount('dst=/v,volume-nocopy,volume-opt=type=tmpfs,"volume-label=a=b,c"'), {
    Type: 'volume',
    Target: '/v',
    VolumeOptions: { NoCopy: true, DriverConfig: { Options: { type: 'tmpfs' } }, Labels: { a: 'b,c' } },
  });
  assert.deepEqual(parseMount('type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1770'), {
    Type: 'tmpfs',
    Target: '/t',
    TmpfsOptions: { SizeBytes: 64 << 20, Mode: 0o1770 },
  });
  assert.deepEqual(parseMount('type=image,src=app,dst=/i,image-subpath=etc'), {
    Type: 'image',
    Source: 'app',
    Target: '/i',
    ImageOptions: { Subpath: 'etc' },
  });
  refuses(() => parseMount('dst=/x,foo=bar'), "unexpected key 'foo' in 'foo=bar'");
  refuses(() => parseMount('dst=/x,foo'), "invalid field 'foo' must be a key=value pair");
  refuses(() => parseMount('type=bind,src=/a'), 'target is required');
  refuses(
    () => parseMount('type=tmpfs,dst=/a,volume-nocopy'),
    "cannot mix 'volume-*' options with mount type 'tmpfs'",
  );
  refuses(
    () => parseMount('type=bind,dst=/a,image-subpath=b'),
    "cannot mix 'image-*' options with mount type 'bind'",
  );
});

test('parseTmpfs() splits at the first colon', () => {
  assert.deepEqual(parseTmpfs(['/run:rw,size=1m', '/tmp']), { '/run': 'rw,size=1m', '/tmp': '' });
});

test('parseCsvLine() minds quotes', () => {
  assert.deepEqual(parseCsvLine('a=1,"b=x,""y""",c'), ['a=1', 'b=x,"y"', 'c']);
  assert.deepEqual(parseCsvLine('a,'), ['a', '']);
});

test('parseUlimit() checks name and order', () => {
  assert.deepEqual(parseUlimit('nofile=1024:2048'), { Name: 'nofile', Soft: 1024, Hard: 2048 });
  assert.deepEqual(parseUlimit('core=-1'), { Name: 'core', Soft: -1, Hard: -1 });
  refuses(() => parseUlimit('x'), 'invalid ulimit argument: x');
  refuses(() => parseUlimit('foo=1'), 'invalid ulimit type: foo');
  refuses(
    () => parseUlimit('nofile=2:1'),
    'ulimit soft limit must be less than or equal to hard limit: 2 > 1',
  );
});

test('parseDevice(), parseThrottle(), parseExtraHost() and parseRestartPolicy() read their forms', () => {
  assert.deepEqual(parseDevice('/dev/a:/dev/b:r'), {
    PathOnHost: '/dev/a',
    PathInContainer: '/dev/b',
    CgroupPermissions: 'r',
  });
  assert.equal(parseDevice('/dev/a:rw').PathInContainer, '/dev/a');
  refuses(() => parseDevice('/dev/a:/dev/b:x'), 'bad mode specified: x');
  assert.deepEqual(parseThrottle('/dev/sda:1mb', { bytes: true }), { Path: '/dev/sda', Rate: 1 << 20 });
  assert.equal(parseExtraHost('db=10.0.0.1'), 'db:10.0.0.1');
  assert.equal(parseExtraHost('db:host-gateway'), 'db:host-gateway');
  refuses(() => parseExtraHost('foo'), 'bad format for add-host: "foo"');
  assert.deepEqual(parseRestartPolicy('on-failure:3'), { Name: 'on-failure', MaximumRetryCount: 3 });
  refuses(
    () => parseRestartPolicy('on-failure:x'),
    'invalid restart policy format: maximum retry count must be an integer',
  );
});

test('parseNetwork() reads the long form', () => {
  assert.equal(parseNetwork('web').name, 'web');
  assert.deepEqual(parseNetwork('name=web,alias=a,alias=b,ip=10.0.0.2').aliases, ['a', 'b']);
  refuses(() => parseNetwork('name=x,foo=bar'), 'invalid field key foo');
});

test('parseEnvFile() skips comments and takes the caller’s values', () => {
  const content = '# c\n\nA=1\n B=x y \nHOME\nNONE\n';
  assert.deepEqual(parseEnvFile(content, 'f', { HOME: '/h' }), ['A=1', 'B=x y ', 'HOME=/h']);
  refuses(
    () => parseEnvFile('=x', 'f', {}),
    "poorly formatted environment: no variable name on line '=x' (f)",
  );
  assert.deepEqual(resolveEnv(['A', 'B=', 'C'], { A: '1' }), ['A=1', 'B=', 'C']);
});

function requestFor(...argv: string[]) {
  const parsed = parseFlags(containerFlags, argv, { interspersed: false });
  const [image = '', ...args] = parsed.args;
  return createRequest({
    flags: parsed.values,
    given: parsed.given,
    image,
    args,
    environment: { HOME: '/h' },
    proxies: {},
    envFiles: ['A=file'],
    labelFiles: [],
    securityOpts: parsed.values['security-opt'],
    cwd: '/w',
    detach: false,
  });
}

test('createRequest() stops reading flags at the image', () => {
  const request = requestFor(
    '-it',
    '--rm',
    '-p8080:80',
    '-e',
    'A=1',
    '-e',
    'HOME',
    'busybox',
    'sh',
    '-c',
    'x',
  );
  assert.equal(request.Image, 'busybox');
  assert.deepEqual(request.Cmd, ['sh', '-c', 'x']);
  assert.deepEqual(request.Env, ['A=1', 'HOME=/h']);
  assert.equal(request.Tty, true);
  assert.equal(request.StdinOnce, true);
  assert.equal(request.HostConfig?.AutoRemove, true);
  assert.deepEqual(request.HostConfig?.PortBindings, { '80/tcp': [{ HostIp: '', HostPort: '8080' }] });
});

test('createRequest() attaches stdin with -i, whatever -a names', () => {
  const request = requestFor('-i', '-a', 'stdout', 'busybox');
  const { AttachStdin, AttachStdout, AttachStderr, StdinOnce } = request;
  assert.deepEqual([AttachStdin, AttachStdout, AttachStderr, StdinOnce], [true, true, false, true]);
});

test('older names of flags mean the new ones, in the order of the line', () => {
  const line = ['--net', 'a', '--network=b', '--net-alias', 'x', '--network-alias', 'y', '--net-alias=z'];
  const { values, given } = parseFlags(containerFlags, [...line, '--dns-opt', 'use-vc', 'busybox']);
  assert.deepEqual(
    values.network.map(({ name }) => name),
    ['a', 'b'],
  );
  assert.deepEqual(values['network-alias'], ['x', 'y', 'z']);
  assert.deepEqual(values['dns-option'], ['use-vc']);
  assert.deepEqual([...given], ['network', 'network-alias', 'dns-option']);
  refuses(
    () => parseFlags(containerFlags, ['--net', 'name=x,foo=bar']),
    'invalid argument "name=x,foo=bar" for "--net" flag: invalid field key foo',
  );
});

test('createRequest() maps limits, networks and health', () => {
  const request = requestFor(
    '-m=64m',
    '--cpus=.5',
    '--network',
    'web',
    '--network-alias',
    'db',
    '--ip=10.1.2.3',
    '--health-cmd',
    'true',
    '--health-interval=5s',
    '--restart=on-failure:2',
    '--entrypoint',
    '',
    '--rm=false',
    'img',
  );
  assert.equal(request.HostConfig?.Memory, 64 << 20);
  assert.equal(request.HostConfig?.NanoCpus, 500_000_000);
  assert.deepEqual(request.NetworkingConfig?.EndpointsConfig, {
    web: { Aliases: ['db'], IPAMConfig: { IPv4Address: '10.1.2.3' } },
  });
  assert.deepEqual(request.Healthcheck?.Test, ['CMD-SHELL', 'true']);
  assert.deepEqual(request.Entrypoint, ['']);
});

test("createRequest() refuses what does not fit together with Docker's texts", () => {
  refuses(
    () => requestFor('--rm', '--restart=always', 'i'),
    'conflicting options: cannot specify both --restart and --rm',
  );
  refuses(() => requestFor('--pid=foo', 'i'), '--pid: invalid PID mode');
  refuses(
    () => requestFor('--health-cmd=x', '--no-healthcheck', 'i'),
    '--no-healthcheck conflicts with --health-* options',
  );
  refuses(
    () => requestFor('-m', 'x', 'i'),
    `invalid argument "x" for "-m, --memory" flag: invalid size: 'x'`,
  );
  refuses(() => requestFor('--foo', 'i'), 'unknown flag: --foo');
  refuses(() => requestFor('-Z', 'i'), "unknown shorthand flag: 'Z' in -Z");
  refuses(() => requestFor('--name'), 'flag needs an argument: --name');
  refuses(
    () => requestFor('--rm=x', 'i'),
    'invalid argument "x" for "--rm" flag: strconv.ParseBool: parsing "x": invalid syntax',
  );
});
