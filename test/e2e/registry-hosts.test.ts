import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import bcrypt from 'bcryptjs';
import { makeAuthority } from '../support/certificates.ts';
import { startDaemon } from '../support/daemon.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { startRegistry } from '../support/registry.ts';

// Registries by name: what is insecure, whose certificate is trusted, mirrors, proxies, and refresh tokens. The names
// are known to a proxy only, so that all of it stays on loopback.

const files = temporaryDirectory({ after });
const authority = makeAuthority(join(files, 'tls'));
const tlsHost = `tls-${process.pid}.test`;
const plain = await startRegistry({ after });
const secure = await startRegistry(
  { after },
  { scheme: 'https', config: { tls: authority.certificateFor(tlsHost, `DNS:${tlsHost}`) } },
);
const proxy = await startForwardProxy(
  { after },
  {
    hosts: {
      'plain.test:5000': plain.host,
      'strict.test:5000': plain.host,
      'files.test:80': plain.host,
      [`${tlsHost}:443`]: secure.host,
      'other-name.test:443': secure.host,
    },
    credentials: 'me:secret',
  },
);
const engine = await startDaemon(
  { after },
  {
    args: [
      ...['--http-proxy', proxy.url, '--https-proxy', proxy.url, '--no-proxy', '10.0.0.0/8,direct.invalid'],
      ...['--insecure-registry', 'plain.test:5000', '--registry-mirror', `http://${plain.host}`],
    ],
  },
);
const docker = (...args: string[]) => engine.ok(args);

function fails(args: readonly string[], text: RegExp): void {
  const result = engine.docker(args);
  assert.notEqual(result.code, 0);
  assert.match(result.stderr + result.stdout, text);
}

test('a registry that the configuration calls insecure needs no TLS, another one does', () => {
  docker('tag', 'base:1', 'plain.test:5000/app:1');
  assert.match(docker('push', 'plain.test:5000/app:1'), /^1: digest: sha256:/m);
  docker('rmi', 'plain.test:5000/app:1');
  assert.match(
    docker('pull', 'plain.test:5000/app:1'),
    /^Status: Downloaded newer image for plain\.test:5000/m,
  );
  fails(['pull', 'strict.test:5000/app:1'], /http: server gave HTTP response to HTTPS client/);
});

test('a certificate is good for its name once its authority is in certs.d', () => {
  const reference = `${tlsHost}/app:1`;
  docker('tag', 'base:1', reference);
  fails(
    ['push', reference],
    /tls: failed to verify certificate: x509: certificate signed by unknown authority/,
  );
  for (const host of [tlsHost, 'other-name.test']) {
    const directory = join('/etc/gantry/certs.d', host);
    const made = mkdirSync(directory, { recursive: true }) ?? directory;
    after(() => rmSync(made, { recursive: true, force: true }));
    writeFileSync(join(directory, 'ca.crt'), readFileSync(authority.ca));
  }
  docker('push', reference);
  docker('rmi', reference);
  docker('pull', reference);
  fails(
    ['pull', 'other-name.test/app:1'],
    /x509: certificate is valid for tls-\d+\.test, not other-name\.test/,
  );
});

test('a mirror is asked before Docker Hub, which is asked for what it lacks', () => {
  docker('tag', 'plain.test:5000/app:1', 'plain.test:5000/library/mirrored:1');
  docker('push', 'plain.test:5000/library/mirrored:1');
  assert.match(docker('pull', 'mirrored:1'), /^docker\.io\/library\/mirrored:1$/m);
  assert.equal(docker('run', '--rm', 'mirrored:1', 'echo', 'here'), 'here');
  const before = proxy.seen().length;
  fails(['pull', 'lacking:1'], /Get "https:\/\/registry-1\.docker\.io\/v2\/": Bad Gateway/);
  assert.ok(proxy.seen().slice(before).includes('CONNECT registry-1.docker.io:443'));
});

test('what a build adds and an import downloads comes through the proxy', () => {
  writeTree(join(files, 'add'), { Dockerfile: 'FROM base:1\nADD http://files.test/v2/ /note\n' });
  docker('build', '-t', 'added:1', join(files, 'add'));
  assert.equal(docker('run', '--rm', 'added:1', 'cat', '/note'), '{}');
  assert.ok(proxy.seen().includes('GET http://files.test/v2/'));
  fails(
    ['import', 'http://unknown.test/x.tar'],
    /failed to GET http:\/\/unknown\.test\/x\.tar with status 502/,
  );
  fails(
    ['import', 'http://direct.invalid/x.tar'],
    /Get "http:\/\/direct\.invalid\/x\.tar": .*direct\.invalid/,
  );
});

test('docker info names the proxies without their credentials', () => {
  const shown = proxy.url.replace('me:secret', 'xxxxx:xxxxx');
  assert.equal(
    docker('info', '-f', '{{.HTTPProxy}} {{.HTTPSProxy}} {{.NoProxy}}'),
    `${shown} ${shown} 10.0.0.0/8,direct.invalid`,
  );
});

test('docker login keeps a refresh token where the registry gives one, and goes by it', async (t) => {
  const htpasswd = join(files, 'htpasswd');
  writeFileSync(htpasswd, `alice:${bcrypt.hashSync('secret', 4)}\n`);
  const rules = [{ repositories: ['**'], users: ['alice'], actions: ['pull', 'push'] }];
  const registry = await startRegistry(t, {
    config: { auth: { htpasswd, token: { service: 'registry.test' }, rules } },
  });
  const env = { DOCKER_CONFIG: join(files, 'client') };
  for (const run of [engine.docker.bind(engine), engine.gantry.bind(engine)]) {
    const ok = (args: string[], input?: string) => {
      const result = run(args, { env, ...(input === undefined ? {} : { input }) });
      assert.equal(result.code, 0, result.stderr);
      return result.stdout;
    };
    rmSync(env.DOCKER_CONFIG, { recursive: true, force: true });
    ok(['login', '-u', 'alice', '--password-stdin', registry.host], 'secret\n');
    const config = JSON.parse(readFileSync(join(env.DOCKER_CONFIG, 'config.json'), 'utf8')) as {
      auths: Record<string, { auth: string; identitytoken: string }>;
    };
    const kept = config.auths[registry.host];
    assert.ok((kept?.identitytoken ?? '').length > 20);
    assert.equal(Buffer.from(kept?.auth ?? '', 'base64').toString(), 'alice:', 'the password is not kept');
    docker('tag', 'base:1', `${registry.host}/app:1`);
    assert.match(ok(['push', `${registry.host}/app:1`]), /^1: digest: /m);
    docker('rmi', `${registry.host}/app:1`);
    ok(['pull', `${registry.host}/app:1`]);
    ok(['logout', registry.host]);
    assert.notEqual(run(['pull', `${registry.host}/app:1`], { env }).code, 0);
  }
});
