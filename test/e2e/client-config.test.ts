import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { run } from '../../src/lib/run.ts';
import { startDaemon } from '../support/daemon.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';

// What the gantry CLI takes from Docker's config.json, besides who one is (registry-logins.test.ts).

const engine = await startDaemon({ after });
const files = temporaryDirectory({ after });
const gantry = join(import.meta.dirname, '../../bin/gantry');

function configOf(name: string, content: object): string {
  const directory = join(files, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.json'), JSON.stringify(content));
  return directory;
}

function ok(args: readonly string[]): string {
  const result = engine.gantry(args);
  assert.equal(result.code, 0, result.stderr);
  return result.stdout.trim();
}

test('--config names the directory that is read and written, before DOCKER_CONFIG', () => {
  const directory = configOf('given', { auths: { 'a.example': { auth: 'dTpw' }, 'b.example': {} } });
  const other = join(files, 'other');
  const out = engine.gantry(['--config', directory, 'logout', 'a.example'], {
    env: { DOCKER_CONFIG: other },
  });
  assert.equal(out.stdout, 'Removing login credentials for a.example\n');
  assert.deepEqual(JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')), {
    auths: { 'b.example': {} },
  });
  assert.ok(!existsSync(other));
});

test('a config.json that is none is told of, and stops no command that needs none of it', () => {
  const unreadable = join(files, 'unreadable');
  mkdirSync(join(unreadable, 'config.json'), { recursive: true });
  const broken = [
    [configOf('broken', []), /^WARNING: Error loading config file: .*config\.json: not an object\n$/],
    [unreadable, /^WARNING: Error loading config file: .*config\.json: EISDIR/],
    [configOf('nulls', { proxies: null, HttpHeaders: null, credHelpers: null, auths: null }), /^$/],
  ] as const;
  for (const [directory, told] of broken) {
    const result = engine.gantry(['--config', directory, 'run', '--rm', 'base:1', 'true']);
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stderr, told);
  }
});

test('lists are shown in the formats of config.json, but for --format and -q', () => {
  const directory = configOf('formats', {
    psFormat: 'container {{.Names}}',
    imagesFormat: 'image {{.Repository}}',
    networksFormat: 'network {{.Name}}',
    volumesFormat: 'volume {{.Name}}',
    statsFormat: 'stats {{.Name}}',
  });
  const list = (...args: string[]) => ok(['--config', directory, ...args]);
  const id = ok(['run', '-d', '--name', 'shown', 'base:1', 'sleep', '1000']);
  ok(['volume', 'create', 'shown']);
  assert.equal(list('ps'), 'container shown');
  assert.equal(list('ps', '--format', '{{.Image}}'), 'base:1');
  assert.equal(list('ps', '-q'), id.slice(0, 12));
  assert.equal(list('images'), 'image base');
  assert.equal(list('network', 'ls'), 'network bridge\nnetwork host\nnetwork none');
  assert.equal(list('volume', 'ls'), 'volume shown');
  assert.equal(list('stats', '--no-stream'), 'stats shown');
});

test('prunes heed the filters of config.json, but for what is asked for against them', () => {
  const directory = configOf('prunes', { pruneFilters: ['label!=keep', 'label=mine', 'nothing'] });
  const leftBy = (...args: string[]) => {
    for (const kind of ['network', 'volume']) {
      engine.ok([kind, 'create', '--label', 'mine', `own-${kind}`]);
      engine.ok([kind, 'create', '--label', 'mine', '--label', 'keep', `kept-${kind}`]);
      engine.ok([kind, 'create', `other-${kind}`]);
    }
    ok(['--config', directory, ...args, '-f']);
    const left = ['network', 'volume'].flatMap((kind) => {
      const names = engine.ok([kind, 'ls', '--format', '{{.Name}}']).split('\n');
      return names.filter((name) => name.endsWith(`-${kind}`)).sort();
    });
    engine.ok(['network', 'prune', '-f']);
    ok(['volume', 'prune', '-af']);
    return left.join(' ');
  };
  const networks = 'kept-network other-network own-network';
  const volumes = 'kept-volume other-volume own-volume';
  const filteredNetworks = `kept-network other-network ${volumes}`;
  assert.equal(leftBy('network', 'prune'), filteredNetworks);
  assert.equal(leftBy('system', 'prune'), filteredNetworks);
  assert.equal(leftBy('volume', 'prune', '-a'), `${networks} kept-volume other-volume`);
  assert.equal(
    leftBy('volume', 'prune', '-a', '--filter', 'label=keep'),
    `${networks} other-volume own-volume`,
  );
  const [kept, own] = ['--label=keep', '--label=none'].map((label) =>
    ok(['create', '--label', 'mine', label, 'base:1', 'true']),
  );
  assert.match(ok(['--config', directory, 'container', 'prune', '-f']), new RegExp(`${own}\n\n`));
  assert.equal(ok(['ps', '-aq', '--no-trunc', '--filter', 'label=mine']), kept);
  engine.ok(['network', 'create', '--label', 'mine', '--label', 'keep', 'planned']);
  assert.match(ok(['prune', '--plan']), /planned/);
  assert.doesNotMatch(ok(['--config', directory, 'prune', '--plan']), /planned/);
});

test('a system prune says what it will filter by', () => {
  const directory = configOf('filtered', { pruneFilters: ['label!=keep', 'until=1h'] });
  const asked = ['--config', directory, 'system', 'prune', '--filter', 'label=x'];
  const [docker, own] = [engine.docker(asked, { input: 'n\n' }), engine.gantry(asked, { input: 'n\n' })];
  const said = /will be filtered with:\n( {2}- .*\n)+/;
  assert.equal(said.exec(own.stdout)?.[0], said.exec(docker.stdout)?.[0]);
  assert.match(own.stdout, /label!=keep/);
});

test('containers and builds get the proxies of config.json that they are not given', () => {
  const directory = configOf('proxies', {
    proxies: {
      default: { httpProxy: 'http://other' },
      [engine.host]: { httpProxy: 'http://proxy', noProxy: 'localhost' },
    },
  });
  const shown = ['-e', 'HTTP_PROXY=http://own', 'base:1', 'sh', '-c', 'env | grep -i proxy | sort'];
  assert.equal(
    ok(['--config', directory, 'run', '--rm', ...shown]),
    'HTTP_PROXY=http://own\nNO_PROXY=localhost\nhttp_proxy=http://proxy\nno_proxy=localhost',
  );
  const context = join(files, 'context');
  writeTree(context, { Dockerfile: 'FROM base:1\nRUN env | grep -i proxy | sort >/proxies\n' });
  ok(['--config', directory, 'build', '-t', 'proxied', '--build-arg', 'no_proxy=own', context]);
  assert.equal(
    ok(['run', '--rm', 'proxied', 'cat', '/proxies']),
    'HTTP_PROXY=http://proxy\nNO_PROXY=localhost\nhttp_proxy=http://proxy\nno_proxy=own',
  );
});

test('headers and detach keys of config.json are sent', async (t) => {
  const requests: { readonly header: unknown; readonly body: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      requests.push({ header: request.headers['x-meta'], body });
      response.writeHead(request.method === 'HEAD' ? 200 : 404, { 'api-version': '1.50' }).end();
    });
  });
  const socket = join(files, 'recorder.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  const directory = configOf('sent', { HttpHeaders: { 'X-Meta': 'kept' }, detachKeys: 'ctrl-x' });
  const exec = (...flags: string[]) =>
    run(gantry, ['--config', directory, '-H', `unix://${socket}`, 'exec', ...flags, 'web', 'sh'], {
      accept: [1],
    });
  await exec();
  await exec('--detach-keys', 'ctrl-y');
  assert.deepEqual(new Set(requests.map(({ header }) => header)), new Set(['kept']));
  const keys = requests.flatMap(({ body }) =>
    body === '' ? [] : [(JSON.parse(body) as { DetachKeys: string }).DetachKeys],
  );
  assert.deepEqual(keys, ['ctrl-x', 'ctrl-y']);
});
