import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { runCommand, startDaemon } from '../support/daemon.ts';

// The examples, built and run for real: packages come through the containers' own network.

const engine = await startDaemon({ after });
const repository = join(import.meta.dirname, '../..');
const cache = '/var/cache/gantry-test';

const docker = (...args: string[]) => engine.ok(args);

interface Built {
  readonly code: number;
  readonly output: string;
}

/** `docker build` of an example, without blocking this process. */
async function build(name: string): Promise<Built> {
  const args = ['-H', engine.host, 'build', '-t', name, join(repository, 'examples', name)];
  const env = {
    ...process.env,
    DOCKER_BUILDKIT: '0',
    DOCKER_CONFIG: join(engine.directory, 'docker-config'),
  };
  try {
    const { stdout } = await promisify(execFile)('docker', args, { env, maxBuffer: 64 << 20 });
    return { code: 0, output: stdout };
  } catch (error) {
    const {
      code = 1,
      stdout = '',
      stderr = '',
    } = error as { code?: number; stdout?: string; stderr?: string };
    return { code, output: stdout + stderr };
  }
}

function succeeded({ code, output }: Built): string {
  assert.equal(code, 0, output.slice(-3000));
  return output;
}

/** Where a container's port is published on this host. */
function addressOf(container: string, port: number): string {
  const published = docker('port', container, String(port)).split('\n')[0] ?? '';
  return `http://127.0.0.1:${published.slice(published.lastIndexOf(':') + 1)}/`;
}

/** A page, as soon as it is served. */
async function fetchSoon(url: string): Promise<Response> {
  for (const deadline = Date.now() + 60_000; ; await sleep(50)) {
    try {
      return await fetch(url);
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

test('hello: a page from busybox httpd', async () => {
  docker('tag', 'base:1', 'busybox');
  succeeded(await build('hello'));
  docker('run', '-d', '--name', 'hello', '-p', '127.0.0.1::8080', 'hello');
  const page = await (await fetchSoon(addressOf('hello', 8080))).text();
  assert.match(page, /Hello from a container/);
  assert.match(engine.docker(['logs', 'hello']).stderr, /response:200/);
  docker('rm', '-f', 'hello');
});

// A minute here, the better part of an hour where the processor is emulated.
const baseMs = 3_600_000;

describe('on a Debian base', () => {
  let builds: Promise<[Built, Built]> | undefined;

  test('the base is made and imported', { timeout: baseMs }, () => {
    mkdirSync(cache, { recursive: true });
    const tar = join(cache, 'bookworm.tar');
    const made = runCommand('sh', [join(repository, 'scripts/debian-image.sh'), tar], { timeoutMs: baseMs });
    assert.equal(made.code, 0, made.stderr);
    const input = openSync(tar, 'r');
    const imported = runCommand('docker', ['-H', engine.host, 'import', '-', 'debian:bookworm'], {
      stdin: input,
    });
    closeSync(input);
    assert.equal(imported.code, 0, imported.stderr);
    assert.equal(docker('run', '--rm', 'debian:bookworm', 'cat', '/etc/debian_version').split('.')[0], '12');
    // Both at once: they wait for the network and for dpkg more than for each other.
    builds = Promise.all([build('nginx'), build('node-app')]);
  });

  test('nginx: from a Debian package, serving a file of the context', { timeout: baseMs }, async () => {
    const [nginx] = (await builds) ?? assert.fail('not built');
    succeeded(nginx);
    docker('run', '-d', '--name', 'nginx', '-p', '80', 'nginx');
    const response = await fetchSoon(addressOf('nginx', 80));
    assert.equal(response.status, 200);
    assert.match(response.headers.get('server') ?? '', /^nginx/);
    assert.match(await response.text(), /nginx from Debian/i);
    docker('stop', '-t', '120', 'nginx');
    assert.equal(docker('inspect', '-f', '{{.State.ExitCode}}', 'nginx'), '0');
  });

  test('node-app: Node and its dependency from packages, answering JSON', { timeout: baseMs }, async () => {
    const [, app] = (await builds) ?? assert.fail('not built');
    succeeded(app);
    docker('run', '-d', '--name', 'app', '-p', '127.0.0.1::3000', 'node-app');
    const response = await fetchSoon(addressOf('app', 3000));
    assert.equal(response.headers.get('content-type'), 'application/json');
    const answer = (await response.json()) as { hello: string; up: string };
    assert.equal(answer.hello, 'world');
    assert.match(answer.up, /^\d+(?:ms|s)$/);
    assert.equal(docker('exec', 'app', 'id', '-un'), 'nobody');
    docker('stop', '-t', '120', 'app');
    assert.equal(docker('inspect', '-f', '{{.State.ExitCode}}', 'app'), '0');
  });

  test('building again takes every step from the cache', async () => {
    for (const name of ['nginx', 'node-app']) {
      const output = succeeded(await build(name));
      const steps = output.match(/^Step \d+\/\d+ : /gm)?.length ?? 0;
      assert.equal(output.match(/^ ---> Using cache$/gm)?.length, steps - 1, output);
    }
  });
});
