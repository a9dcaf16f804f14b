import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { byteString } from '../../src/lib/tar/index.ts';
import { digestOf } from '../../src/oci/index.ts';
import { archiveOf } from '../support/build-bench.ts';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';
import { tarOf } from '../support/image-store.ts';
import { until } from '../support/until.ts';

// Bad input gets a clear error, the right exit code or status, and changes nothing.

let engine: TestDaemon;
const directory = mkdtempSync(join(tmpdir(), 'gantry-test-bad-'));

before(async () => {
  engine = await openDaemon();
  engine.ok(['create', '--name', 'taken', 'base:1', 'true']);
});
after(async () => {
  rmSync(directory, { recursive: true, force: true });
  await engine.destroy();
});

function state(): string {
  const parts = [
    ['ps', '-aq', '--no-trunc'],
    ['image', 'ls', '-aq', '--no-trunc'],
    ['volume', 'ls', '-q'],
    ['network', 'ls', '-q'],
  ];
  return parts.map((args) => engine.ok(args)).join('\n--\n');
}

function refuses(
  what: string,
  args: readonly string[],
  expected: { code: number; text: RegExp; input?: string },
): void {
  test(what, () => {
    const before = state();
    const result = engine.docker(args, expected.input === undefined ? {} : { input: expected.input });
    assert.match(result.stderr + result.stdout, expected.text);
    assert.equal(result.code, expected.code, result.stderr);
    assert.equal(state(), before);
  });
}

describe('docker run and create', () => {
  refuses('unknown image', ['create', '--pull', 'never', 'nosuch:1'], {
    code: 1,
    text: /No such image: nosuch:1/,
  });
  refuses('image of a registry that does not answer', ['create', '127.0.0.1:1/nosuch:1'], {
    code: 1,
    text: /dial tcp 127\.0\.0\.1:1: connect: connection refused/,
  });
  refuses('taken name', ['create', '--name', 'taken', 'base:1', 'true'], {
    code: 1,
    text: /Conflict\. The container name "\/taken" is already in use by container/,
  });
  refuses('bad name', ['create', '--name', 'a b', 'base:1'], {
    code: 1,
    text: /Invalid container name \(a b\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/,
  });
  refuses('bad reference', ['create', 'Upper:1'], {
    code: 1,
    text: /repository name \(library\/Upper\) must be lowercase|must be lowercase/,
  });
  refuses('bad port', ['create', '-p', '99999:1', 'base:1'], {
    code: 125,
    text: /invalid hostPort: 99999|invalid host port/i,
  });
  refuses('bad mount type', ['create', '--mount', 'type=nope,dst=/x', 'base:1', 'true'], {
    code: 1,
    text: /invalid mount config for type "nope": mount type unknown/,
  });
  refuses(
    'missing bind source',
    ['create', '--mount', 'type=bind,src=/nonexistent,dst=/x', 'base:1', 'true'],
    {
      code: 1,
      text: /bind source path does not exist: \/nonexistent/,
    },
  );
  refuses('relative mount target', ['create', '-v', '/tmp:x', 'base:1', 'true'], {
    code: 1,
    text: /invalid volume specification|mount path must be absolute/,
  });
  refuses('bad size', ['create', '-m', 'lots', 'base:1'], { code: 125, text: /invalid size: 'lots'/ });
  refuses('too little memory', ['create', '-m', '1m', 'base:1', 'true'], {
    code: 1,
    text: /Minimum memory limit allowed is 6MB/,
  });
  refuses('bad capability', ['create', '--cap-add', 'NOPE', 'base:1', 'true'], {
    code: 1,
    text: /invalid CapAdd: unknown capability: "CAP_NOPE"/,
  });
  refuses('no command', ['create', 'base:1'], { code: 1, text: /no command specified/ });
  refuses('unknown network', ['run', '--rm', '--network', 'nosuch', 'base:1', 'true'], {
    code: 125,
    text: /network nosuch not found/,
  });
  refuses(
    'unknown container whose network is to be joined',
    ['create', '--network', 'container:no', 'base:1', 'true'],
    {
      code: 1,
      text: /^Error response from daemon: joining network namespace of container: No such container: no$/m,
    },
  );
  refuses(
    'unknown container whose volumes are wanted',
    ['create', '--volumes-from', 'no', 'base:1', 'true'],
    {
      code: 1,
      text: /^Error response from daemon: No such container: no$/m,
    },
  );
  refuses('unknown user', ['run', '--rm', '-u', 'nosuch', 'base:1', 'true'], {
    code: 125,
    text: /unable to find user nosuch: no matching entries in passwd file/,
  });
});

describe('containers', () => {
  refuses('unknown container', ['start', 'nosuch'], { code: 1, text: /No such container: nosuch/ });
  refuses('bad signal', ['kill', '-s', 'NOPE', 'taken'], { code: 1, text: /[Ii]nvalid signal: NOPE/ });
  refuses('kill of a stopped one', ['kill', 'taken'], {
    code: 1,
    text: /cannot kill container: taken: container \w+ is not running/,
  });
  refuses('exec in a stopped one', ['exec', 'taken', 'true'], { code: 1, text: /is not running/ });
  test('exec of an unknown user, before there is one to start', async () => {
    engine.ok(['run', '-d', '--name', 'peopled', 'base:1', 'sleep', '1000']);
    const body = JSON.stringify({ User: 'nosuch', Cmd: ['true'] });
    const { status, body: text } = await send('POST', '/v1.43/containers/peopled/exec', body);
    assert.equal(status, 400);
    assert.deepEqual(JSON.parse(text), {
      message: 'unable to find user nosuch: no matching entries in passwd file',
    });
    engine.ok(['rm', '-f', 'peopled']);
  });
  refuses('unknown filter', ['ps', '--filter', 'nope=1'], { code: 1, text: /invalid filter 'nope'/ });
  for (const [value, reason] of [
    ['bad', 'strconv.ParseUint: parsing "bad": invalid syntax'],
    ['99999/tcp', 'strconv.ParseUint: parsing "99999": value out of range'],
    ['/udp', 'empty string specified for ports'],
    ['80-70', 'invalid range specified for port: 80-70'],
  ] as const) {
    for (const key of ['publish', 'expose']) {
      refuses(`filter ${key}=${value}`, ['ps', '--filter', `${key}=${value}`], {
        code: 1,
        text: new RegExp(`error while looking up for ${key} ${value}: ${reason.replaceAll('.', '\\.')}`),
      });
    }
  }
  refuses('rename to a taken name', ['rename', 'taken', 'taken'], {
    code: 1,
    text: /Renaming a container with the same name/,
  });

  test('ambiguous prefix', () => {
    const ids = Array.from({ length: 17 }, () => engine.ok(['create', 'base:1', 'true']));
    const first = ids.map((id) => id[0]).find((digit, index, all) => all.indexOf(digit) !== index) ?? '';
    const before = state();
    for (const command of [['inspect', '--type', 'container'], ['rm']]) {
      const result = engine.docker([...command, first]);
      assert.match(result.stderr, /multiple IDs found with provided prefix/i);
      assert.equal(result.code, 1);
    }
    assert.equal(state(), before);
    engine.ok(['rm', ...ids]);
  });

  test('a port that is used on the host', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const result = engine.docker(['run', '--name', 'clash', '-p', `127.0.0.1:${port}:80`, 'base:1', 'true']);
    assert.equal(result.code, 125);
    assert.match(
      result.stderr,
      /driver failed programming external connectivity on endpoint clash .*address already in use/,
    );
    assert.equal(engine.ok(['inspect', '-f', '{{.State.Status}}', 'clash']), 'created');
    server.close();
    engine.ok(['rm', 'clash']);
  });

  test('a port that another container has', async () => {
    engine.ok(['run', '-d', '--name', 'first', '-p', '127.0.0.1:38123:80', 'base:1', 'sleep', '1000']);
    const before = state();
    const result = engine.docker([
      'run',
      '--rm',
      '--name',
      'second',
      '-p',
      '127.0.0.1:38123:80',
      'base:1',
      'true',
    ]);
    assert.equal(result.code, 125);
    assert.match(result.stderr, /Bind for 127\.0\.0\.1:38123 failed: port is already allocated/);
    // --rm takes the one that did not start away after it has told of it.
    await until(() => state() === before, 'something is left');
    engine.ok(['rm', '-f', 'first']);
  });
});

describe('images and volumes', () => {
  refuses('unknown image', ['rmi', 'nosuch'], { code: 1, text: /No such image: nosuch/ });
  refuses('bad tag', ['tag', 'base:1', 'a:b:c'], {
    code: 1,
    text: /invalid reference format|is not a valid repository\/tag/,
  });
  refuses('unknown volume', ['volume', 'rm', 'nosuch'], {
    code: 1, // The 20.10 client has its own words.
    text: /get nosuch: no such volume|No such volume: nosuch/,
  });
  refuses('bad volume name', ['volume', 'create', 'a b'], {
    code: 1,
    text: /includes invalid characters for a local volume name/,
  });
  refuses('an archive that is no image', ['load'], { code: 1, text: /./, input: 'not a tar' });

  test('a damaged archive', () => {
    const archive = join(directory, 'damaged.tar');
    engine.ok(['save', '-o', archive, 'base:1']);
    engine.ok(['rm', 'taken']);
    engine.ok(['rmi', 'base:1']);
    const good = state();
    const content = readFileSync(archive);
    for (const [at, what] of [
      [Math.floor(content.length / 2), 'cut'],
      [Math.floor(content.length / 3), 'flipped'],
    ] as const) {
      const bad = what === 'cut' ? content.subarray(0, at) : Buffer.from(content);
      if (what === 'flipped') bad[at] = (bad[at] ?? 0) ^ 0xff;
      writeFileSync(join(directory, 'bad.tar'), bad);
      const result = engine.docker(['load', '-i', join(directory, 'bad.tar')]);
      assert.equal(result.code, 1, what);
      assert.equal(state(), good, what);
    }
    engine.ok(['load', '-i', archive]);
    engine.ok(['create', '--name', 'taken', 'base:1', 'true']);
  });

  for (const [what, name, layer] of [
    ['that climbs', '../evil', tarOf({ '../evil': 'x' })],
    [
      'that passes a link',
      's/evil',
      archiveOf([
        { path: byteString('s'), type: 'symlink', linkPath: byteString('/etc') },
        { path: byteString('s/evil'), type: 'file', text: 'x' },
      ]),
    ],
  ] as const) {
    test(`an archive with an entry ${what} is refused with its name, and leaves nothing`, () => {
      const kept = () => [
        readdirSync(join(engine.root, 'content'), { recursive: true }).sort(),
        readdirSync(join(engine.root, 'snapshots')).sort(),
      ];
      const [before, keptBefore] = [state(), kept()];
      const config = {
        architecture: 'amd64',
        os: 'linux',
        rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
      };
      const manifest = [{ Config: 'c.json', RepoTags: ['hostile:1'], Layers: ['layer.tar'] }];
      const json = { 'c.json': JSON.stringify(config), 'manifest.json': JSON.stringify(manifest) };
      const result = engine.docker(['load'], { input: tarOf({ ...json, 'layer.tar': layer }) });
      assert.equal(result.code, 1);
      assert.ok(result.stderr.includes(`Refusing the entry ${JSON.stringify(name)}: `), result.stderr);
      assert.equal(state(), before);
      assert.deepEqual(kept(), keptBefore);
    });
  }
});

describe('Dockerfiles', () => {
  for (const [what, dockerfile, text, code] of [
    ['syntax error, with its line', 'FROM base:1\n\nENV\n', /line 3/, 1],
    ['unknown instruction, with its line', 'FROM base:1\nRUM true\n', /line 2: unknown instruction: RUM/, 1],
    [
      'missing COPY source',
      'FROM base:1\nCOPY nosuch /x\n',
      /COPY failed: file not found in build context or excluded by \.dockerignore: stat nosuch: file does not exist/,
      1,
    ],
    [
      'COPY out of the context',
      'FROM base:1\nCOPY ../etc/passwd /x\n',
      /COPY failed: forbidden path outside the build context|file not found in build context/,
      1,
    ],
    [
      'failing RUN',
      'FROM base:1\nRUN exit 3\n',
      /The command '\/bin\/sh -c exit 3' returned a non-zero code: 3/,
      3,
    ],
    ['empty Dockerfile', '# nothing\n', /file with no instructions/, 1],
    ['unknown base', 'FROM nosuch:1\n', /nosuch/, 1],
    ['unknown target', 'FROM base:1 AS a\n', /target stage "?nope"? could not be found/, 1],
  ] as const) {
    test(what, () => {
      writeFileSync(join(directory, 'Dockerfile'), dockerfile);
      const images = engine.ok(['image', 'ls', '-q']);
      const target = what === 'unknown target' ? ['--target', 'nope'] : [];
      const result = engine.docker(['build', ...target, '-f', join(directory, 'Dockerfile'), directory]);
      assert.match(result.stderr + result.stdout, text);
      assert.equal(result.code, code, result.stderr);
      assert.equal(engine.ok(['image', 'ls', '-q']), images);
      assert.equal(engine.ok(['ps', '-aq']).split('\n').length, 1);
    });
  }
});

describe('HTTP', () => {
  for (const [what, method, path, body, status, text] of [
    [
      'JSON that does not parse',
      'POST',
      '/v1.43/containers/create',
      '{"Image":',
      400,
      /invalid JSON|unexpected/i,
    ],
    [
      'a bad port',
      'POST',
      '/v1.43/containers/create',
      creating({ PortBindings: { '80/tcp': [{ HostPort: '99999' }] } }),
      400,
      /^invalid port specification: "99999"$/,
    ],
    ['a bad size', 'POST', '/v1.43/containers/create', creating({ Memory: 'lots' }), 400, /Memory/],
    ['an unknown route', 'GET', '/v1.43/nope', '', 404, /page not found/],
    [
      'a version that is too new',
      'GET',
      '/v9.99/info',
      '',
      400,
      /client version 9\.99 is too new\. Maximum supported API version is 1\.50/,
    ],
    ['a swarm route', 'GET', '/v1.43/services', '', 503, /This node is not a swarm manager/],
    ['a bad filter', 'GET', '/v1.43/containers/json?filters=%7B', '', 400, /invalid filter/],
  ] as const) {
    test(what, async () => {
      const before = state();
      const answer = await send(method, path, body);
      assert.equal(answer.status, status);
      assert.match((JSON.parse(answer.body) as { message: string }).message, text);
      assert.equal(state(), before);
    });
  }

  test('an archive to load is answered with status 200 and an error in the stream, whatever it is', async () => {
    const answer = await send('POST', '/v1.43/images/load', 'not a tar');
    assert.equal(answer.status, 200);
    const { error, errorDetail } = JSON.parse(answer.body) as {
      error: string;
      errorDetail: { message: string };
    };
    assert.match(error, /./);
    assert.equal(errorDetail.message, error);
  });
});

function creating(HostConfig: object): string {
  return JSON.stringify({ Image: 'base:1', Cmd: ['true'], HostConfig });
}

function send(method: string, path: string, body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = {
      socketPath: engine.host.slice('unix://'.length),
      method,
      path,
      headers: { 'content-type': 'application/json' },
    };
    const call = request(options, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    call.on('error', reject);
    call.end(body);
  });
}
