import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { type CommandResult, startDaemon } from '../support/daemon.ts';
import { startDebianRegistry } from '../support/docker-registry.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';
import { startRegistry } from '../support/registry.ts';

// A registry that wants to know who one is: both CLIs, their configuration, and credential helpers.

/** user:secret, by bcrypt of the least cost. */
const htpasswd = 'user:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n';
const registry = await startDebianRegistry({ after }, { htpasswd });
const engine = await startDaemon({ after });
const files = temporaryDirectory({ after });
const image = `${registry.host}/private/app:1`;
engine.ok(['tag', 'base:1', image]);

/** A directory of its own for each configuration. */
function configOf(name: string, content?: object): string {
  const directory = join(files, name);
  mkdirSync(directory, { recursive: true });
  if (content !== undefined) writeFileSync(join(directory, 'config.json'), JSON.stringify(content));
  return directory;
}

function succeeds(result: CommandResult): string {
  assert.equal(result.code, 0, result.stderr + result.stdout);
  return result.stdout;
}

test('the gantry CLI logs in, pushes, pulls, builds and logs out', () => {
  const env = { DOCKER_CONFIG: configOf('gantry', { other: 'kept' }) };
  const gantry = (...args: string[]) => engine.gantry(args, { env });
  const refused = gantry('push', image);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /no basic auth credentials/);
  const wrong = engine.gantry(['login', '-u', 'user', '--password-stdin', registry.host], {
    env,
    input: 'no\n',
  });
  assert.notEqual(wrong.code, 0);
  assert.match(
    wrong.stderr,
    /login attempt to http:\/\/127\.0\.0\.1:\d+\/v2\/ failed with status: 401 Unauthorized/,
  );
  const login = ['login', '-u', 'user', '--password-stdin', registry.host];
  assert.match(succeeds(engine.gantry(login, { env, input: 'secret\n' })), /Login Succeeded/);
  const path = join(env.DOCKER_CONFIG, 'config.json');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const config = JSON.parse(readFileSync(path, 'utf8')) as { other: string; auths: Record<string, object> };
  assert.equal(config.other, 'kept');
  assert.deepEqual(config.auths[registry.host], { auth: Buffer.from('user:secret').toString('base64') });

  assert.match(succeeds(gantry('push', image)), /^1: digest: sha256:/m);
  assert.match(succeeds(gantry('pull', image)), /^Status: Image is up to date for /m);
  assert.match(succeeds(gantry('manifest', 'inspect', image)), /"schemaVersion": 2/);
  engine.ok(['rmi', image]);
  writeTree(join(files, 'build'), { Dockerfile: `FROM ${image}\nCMD ["true"]\n` });
  assert.match(succeeds(gantry('build', join(files, 'build'))), /Pulling from private\/app/);

  assert.match(succeeds(gantry('logout', registry.host)), /Removing login credentials for 127\.0\.0\.1:\d+/);
  assert.match(succeeds(gantry('logout', registry.host)), /Not logged in to 127\.0\.0\.1:\d+/);
  engine.ok(['rmi', '-f', image]);
  assert.notEqual(gantry('pull', image).code, 0);
});

test('the docker CLI logs in through the engine, and pulls', () => {
  const env = { DOCKER_CONFIG: configOf('docker') };
  const login = ['login', '-u', 'user', '--password-stdin', registry.host];
  assert.match(succeeds(engine.docker(login, { env, input: 'secret' })), /Login Succeeded/);
  assert.match(succeeds(engine.docker(['pull', image], { env })), /^Status: /m);
  assert.match(succeeds(engine.docker(['push', image], { env })), /: Layer already exists/);
});

test('who is not logged in reads what is open to all, from a registry with basic authentication', async (t) => {
  const users = join(files, 'users');
  writeFileSync(users, htpasswd);
  const rules = [
    { repositories: ['open'], anonymous: true, actions: ['pull'] },
    { repositories: ['**'], users: ['user'], actions: ['pull', 'push'] },
  ];
  const { host } = await startRegistry(t, { config: { auth: { htpasswd: users, rules } } });
  const env = { DOCKER_CONFIG: configOf('open') };
  const login = ['login', '-u', 'user', '--password-stdin', host];
  succeeds(engine.docker(login, { env, input: 'secret' }));
  for (const name of [`${host}/open:1`, `${host}/closed:1`]) {
    engine.ok(['tag', 'base:1', name]);
    succeeds(engine.docker(['push', name], { env }));
    engine.ok(['rmi', name]);
  }
  succeeds(engine.docker(['logout', host], { env }));
  assert.match(succeeds(engine.docker(['pull', `${host}/open:1`], { env })), /^Status: /m);
  assert.match(succeeds(engine.docker(['run', '--rm', `${host}/open:1`, 'echo', 'runs'])), /^runs$/m);
  for (const args of [
    ['pull', `${host}/closed:1`],
    ['push', `${host}/open:1`],
  ]) {
    for (const refused of [engine.docker(args, { env }), engine.gantry(args, { env })]) {
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /^(Error response from daemon: )?no basic auth credentials$/m);
    }
  }
});

test('a credential helper keeps the secret', () => {
  const bin = join(files, 'bin');
  mkdirSync(bin);
  const kept = join(files, 'kept.json');
  writeFileSync(
    join(bin, 'docker-credential-test'),
    `#!/bin/sh
case $1 in
  store) cat >${kept} ;;
  get) if [ -s ${kept} ]; then cat ${kept}; else echo 'credentials not found in native keychain'; exit 1; fi ;;
  erase) rm -f ${kept} ;;
  list) echo '{}' ;;
esac
`,
  );
  chmodSync(join(bin, 'docker-credential-test'), 0o755);
  const env = {
    DOCKER_CONFIG: configOf('helper', { credsStore: 'test' }),
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
  };
  const login = ['login', '-u', 'user', '-p', 'secret', registry.host];
  const result = engine.gantry(login, { env });
  assert.match(result.stderr, /Using --password via the CLI is insecure/);
  succeeds(result);
  assert.doesNotMatch(readFileSync(join(env.DOCKER_CONFIG, 'config.json'), 'utf8'), /c2VjcmV0|secret/);
  assert.match(readFileSync(kept, 'utf8'), /"Secret":"secret"/);
  assert.match(succeeds(engine.gantry(['push', image], { env })), /^1: digest: sha256:/m);
  succeeds(engine.gantry(['logout', registry.host], { env }));
  assert.notEqual(engine.gantry(['push', image], { env }).code, 0);
});

test('a credential helper that fails is told of, and who needs no credentials goes on without', () => {
  const bin = join(files, 'broken-bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'docker-credential-babble'), '#!/bin/sh\necho what?\n');
  writeFileSync(join(bin, 'docker-credential-fails'), '#!/bin/sh\necho locked\nexit 1\n');
  for (const name of ['babble', 'fails']) chmodSync(join(bin, `docker-credential-${name}`), 0o755);
  const PATH = `${bin}:${process.env['PATH'] ?? ''}`;
  writeTree(join(files, 'plain'), { Dockerfile: 'FROM base:1\nCMD ["true"]\n' });
  for (const [helper, why] of [
    ['absent', 'executable file not found'],
    ['fails', 'locked'],
    ['babble', 'no JSON'],
  ] as const) {
    const env = { PATH, DOCKER_CONFIG: configOf(`broken-${helper}`, { credsStore: helper }) };
    const built = engine.gantry(['build', '-q', join(files, 'plain')], { env });
    succeeds(built);
    assert.ok(built.stderr.includes(why), built.stderr);
    const pushed = engine.gantry(['push', image], { env });
    assert.ok(pushed.stderr.includes(why), pushed.stderr);
    assert.match(pushed.stderr, /no basic auth credentials/);
  }
});

test('login without words logs in with what is stored, and asks again when that is refused', () => {
  const auth = (secret: string) => ({ auth: Buffer.from(`user:${secret}`).toString('base64') });
  const env = { DOCKER_CONFIG: configOf('stored', { auths: { [registry.host]: auth('secret') } }) };
  const again = engine.gantry(['login', registry.host], { env });
  assert.match(succeeds(again), /Login Succeeded/);
  assert.match(again.stderr, /^Authenticating with existing credentials\.\.\. \[Username: user\]\n/);
  configOf('stored', { auths: { [registry.host]: auth('old') } });
  const refused = engine.gantry(['login', registry.host], { env });
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /Stored credentials invalid or expired\n.*Cannot perform an interactive login from a non TTY device\n$/s,
  );
});

test('login says what is wrong with its flags before it looks at what is stored, as docker does', () => {
  const auth = Buffer.from('user:secret').toString('base64');
  const env = { DOCKER_CONFIG: configOf('flags', { auths: { [registry.host]: { auth } } }) };
  for (const [flags, why] of [
    [['--password-stdin'], 'the --password-stdin option requires --username to be set'],
    [
      ['-u', 'user', '-p', 'secret', '--password-stdin'],
      'cannot specify both --password and --password-stdin',
    ],
    [['--username='], 'username is empty'],
    [['-u', 'user', '--password='], 'password is empty'],
  ] as const) {
    const args = ['login', ...flags, registry.host];
    for (const result of [engine.gantry(args, { env, input: 'new' }), engine.since(28, args)]) {
      assert.equal(result.code, 1, result.stdout);
      assert.ok(result.stderr.endsWith(`${why}\n`), result.stderr);
    }
  }
});

test('docker search asks the index that the term names', async (t) => {
  const index = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    response.setHeader('Content-Type', 'application/json');
    if (url.pathname !== '/v1/search') response.writeHead(404).end('{}');
    else {
      const result = (name: string, stars: number) => ({
        name,
        description: `of ${name}`,
        star_count: stars,
      });
      const results = [
        { ...result('web', 9), is_official: true },
        result(url.searchParams.get('q') ?? '', 1),
      ];
      response.end(JSON.stringify({ results, num_results: 2 }));
    }
  });
  index.listen(0, '127.0.0.1');
  await new Promise((resolve) => index.once('listening', resolve));
  t.after(() => index.close());
  const host = `127.0.0.1:${(index.address() as AddressInfo).port}`;
  // The server of this test lives in this process, so nothing here may block it.
  const { spawn } = await import('node:child_process');
  const output = async (program: string, args: readonly string[], env: object) => {
    const child = spawn(program, args, { env: { ...process.env, ...env } });
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    child.stderr.on('data', (chunk) => (text += String(chunk)));
    await new Promise((resolve) => child.once('close', resolve));
    return text;
  };
  const env = { DOCKER_CONFIG: configOf('search') };
  const found = await output(
    'docker',
    ['-H', engine.host, 'search', '--format', '{{.Name}} {{.StarCount}}', `${host}/thing`],
    env,
  );
  assert.equal(found, 'web 9\nthing 1\n');
  const few = await output(
    'docker',
    ['-H', engine.host, 'search', '-f', 'stars=5', '--format', '{{.Name}}', `${host}/thing`],
    env,
  );
  assert.equal(few, 'web\n');
  const gantry = join(import.meta.dirname, '../../bin/gantry');
  const table = await output(gantry, ['-H', engine.host, 'search', `${host}/thing`], env);
  assert.match(table, /^NAME +DESCRIPTION +STARS +OFFICIAL\nweb +of web +9 +\[OK\]\n/);
  const refused = await output('docker', ['-H', engine.host, 'search', '127.0.0.1:1/x'], env);
  assert.match(refused, /dial tcp 127\.0\.0\.1:1: connect: connection refused/);
  assert.match(
    await output('docker', ['-H', engine.host, 'search', '--limit', '200', 'x'], env),
    /outside the range of \[1, 100\]/,
  );
});
