import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { type CommandOptions, runCommand, startDaemon } from '../support/daemon.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';

// Clients other than today's docker CLI; none of them knows who answers.

const engine = await startDaemon({ after });
const files = temporaryDirectory({ after });
const docker = (...args: string[]) => engine.ok(args);

function ok(program: string, args: readonly string[], options: CommandOptions = {}): string {
  const result = runCommand(program, args, { ...options, env: { DOCKER_HOST: engine.host, ...options.env } });
  assert.equal(result.code, 0, `${program} ${args.join(' ')}: ${result.stderr || result.stdout}`);
  return result.stdout.trim();
}

describe('docker-compose 1.29', () => {
  const project = join(files, 'project');
  const compose = (...args: string[]) =>
    ok('docker-compose', ['--no-ansi', '-p', 'project', ...args], {
      cwd: project,
      env: { DOCKER_BUILDKIT: '0' },
    });

  test('up, ps, logs, exec, port, down with two services, a volume and a build', () => {
    writeTree(project, {
      'docker-compose.yml': `
        version: '3.7'
        services:
          web:
            build: ./web
            init: true
            ports: ['127.0.0.1::80']
            volumes: ['data:/data']
            environment: { GREETING: hello }
            depends_on: [db]
          db:
            image: base:1
            init: true
            command: sh -c "echo ready; while true; do echo pong | nc -l -p 6379; done"
        volumes:
          data:
        `.replaceAll(/^ {8}/gm, ''),
      'web/Dockerfile': 'FROM base:1\nCOPY index.html /www/\nCMD ["httpd", "-f", "-p", "80", "-h", "/www"]\n',
      'web/index.html': 'composed',
    });
    compose('up', '-d');
    try {
      assert.match(compose('ps'), /project_db_1.*Up[\s\S]*project_web_1.*Up.*127\.0\.0\.1:\d+->80\/tcp/);
      assert.match(compose('logs', 'db'), /ready/);
      assert.equal(
        compose('exec', '-T', 'web', 'sh', '-c', 'echo $GREETING > /data/f; cat /data/f'),
        'hello',
      );
      const address = compose('port', 'web', '80');
      assert.match(address, /^127\.0\.0\.1:\d+$/);
      assert.equal(ok('busybox', ['wget', '-q', '-O', '-', `http://${address}/`]), 'composed');
      for (const name of ['db', 'project_db_1']) {
        assert.equal(compose('exec', '-T', 'web', 'nc', name, '6379'), 'pong', name);
      }
      assert.equal(docker('network', 'ls', '-q', '--filter', 'name=project_default').length, 12);
      compose('up', '-d', '--force-recreate', '-t', '1', 'web');
      assert.equal(compose('exec', '-T', 'web', 'cat', '/data/f'), 'hello');
      compose('stop', '-t', '1', 'db');
      assert.match(compose('ps'), /project_db_1.*Exit/);
    } finally {
      compose('down', '-v', '-t', '1');
    }
    assert.equal(docker('ps', '-aq'), '');
    assert.equal(docker('volume', 'ls', '-q'), '');
    assert.equal(docker('network', 'ls', '-q', '--filter', 'type=custom'), '');
  });
});

test('python3-docker: run, logs, exec, archives, build, events, attach', () => {
  const script = join(import.meta.dirname, '../fixtures/clients/client.py');
  assert.deepEqual(JSON.parse(ok('/usr/bin/python3', [script, engine.host])), {
    run: 'hello\n',
    'failed run': [3, 'bad\n'],
    followed: 'line 1\nline 2\nline 3\n',
    exec: ['out\n', 'err\n'],
    'exec code': 4,
    'exec user': 'nobody\n',
    'exec terminal': ['framed\r\n', null],
    'detach keys': 'ctrl-a',
    'exec stream': 'a\nb\n',
    archive: ['abc', 'put', 3],
    build: [['python:1'], 'Successfully tagged python:1\n'],
    'failed build': "The command '/bin/sh -c exit 5' returned a non-zero code: 5",
    stats: 1,
    top: ['UID', 'PID'],
    wait: 137,
    events: ['create', 'start', 'die', 'stop', 'destroy'],
    'half-close': 'through\n',
    mac: '02:42:ac:11:00:0a',
    volumes: ['pyvolume'],
    'address driver options': null,
    network: 'bridge',
    missing: 'No such container: nosuch',
  });
});

describe('skopeo', () => {
  const saved = join(files, 'saved.tar');
  const skopeo = (...args: string[]) => ok('skopeo', ['--insecure-policy', ...args]);
  const idOf = (image: string) => docker('inspect', '-f', '{{.Id}}', image);

  test('reads what docker save wrote, as docker archive and as OCI archive', () => {
    docker('save', '-o', saved, 'base:1');
    for (const kind of ['docker-archive', 'oci-archive']) {
      const { Layers } = JSON.parse(skopeo('inspect', `${kind}:${saved}`)) as { Layers: string[] };
      assert.equal(Layers.length, 1, kind);
    }
    const config = skopeo('inspect', '--config', '--raw', `docker-archive:${saved}`);
    assert.deepEqual(Object.keys(JSON.parse(config) as object).includes('rootfs'), true);
  });

  test('writes archives and layouts that docker load takes', () => {
    const id = idOf('base:1');
    skopeo('copy', `docker-archive:${saved}`, `docker-archive:${join(files, 'by-skopeo.tar')}:copied:1`);
    assert.match(docker('load', '-i', join(files, 'by-skopeo.tar')), /^Loaded image: copied:1$/m);
    assert.equal(idOf('copied:1'), id);
    skopeo('copy', `docker-archive:${saved}`, `oci:${join(files, 'layout')}:layout:1`);
    const packed = runCommand('tar', ['-cf', join(files, 'layout.tar'), '-C', join(files, 'layout'), '.']);
    assert.equal(packed.code, 0, packed.stderr);
    docker('load', '-i', join(files, 'layout.tar'));
    assert.equal(docker('run', '--rm', 'layout:1', 'echo', 'from a layout'), 'from a layout');
  });

  test("inspects the engine's own store as an OCI layout", () => {
    const layout = `oci:${join(engine.root, 'content')}:base:1`;
    const { Os, Layers } = JSON.parse(skopeo('inspect', layout)) as { Os: string; Layers: string[] };
    assert.deepEqual([Os, Layers.length], ['linux', 1]);
    skopeo('copy', layout, `docker-archive:${join(files, 'from-store.tar')}:store:1`);
    docker('load', '-i', join(files, 'from-store.tar'));
    assert.equal(idOf('store:1'), idOf('base:1'));
  });
});

test("Debian's docker CLI", () => {
  const old = (...args: string[]) =>
    ok('/usr/bin/docker', args, {
      env: { DOCKER_BUILDKIT: '0', DOCKER_CONFIG: join(engine.directory, 'docker-config') },
    });
  writeTree(join(files, 'old'), { Dockerfile: 'FROM base:1\nCOPY x /x\nCMD cat /x\n', x: 'old client' });
  assert.match(old('build', '-t', 'old:1', join(files, 'old')), /Successfully tagged old:1/);
  assert.equal(old('run', '--rm', 'old:1'), 'old client');
  const id = old('run', '-d', '--name', 'old', '-p', '127.0.0.1::80', 'base:1', 'sleep', '1000');
  assert.equal(old('ps', '-q', '--no-trunc'), id);
  assert.equal(old('exec', 'old', 'echo', 'in exec'), 'in exec');
  assert.match(old('port', 'old'), /^80\/tcp -> 127\.0\.0\.1:\d+$/);
  assert.match(old('version'), /Server:/);
  assert.match(old('stats', '--no-stream'), /old/);
  old('rm', '-f', 'old');
});

describe('raw HTTP', () => {
  const socketPath = engine.host.slice('unix://'.length);

  interface Answer {
    readonly status: number;
    readonly head: string;
    readonly body: Buffer;
  }

  /** Sends bytes, half-closes where `end` says so, and reads until the engine closes. */
  async function send(bytes: string, options: { readonly end?: boolean } = {}): Promise<Answer> {
    const socket = connect({ path: socketPath, allowHalfOpen: true });
    await once(socket, 'connect');
    socket.write(bytes);
    if (options.end === true) socket.end();
    const whole = Buffer.concat(await Array.fromAsync(socket as AsyncIterable<Buffer>));
    socket.destroy();
    const split = whole.indexOf('\r\n\r\n');
    const head = whole.toString('latin1', 0, split);
    const body = whole.subarray(split + 4);
    return { status: Number(head.split(' ')[1]), head, body: /chunked/i.test(head) ? unchunk(body) : body };
  }

  function unchunk(bytes: Buffer): Buffer {
    const parts: Buffer[] = [];
    for (let at = 0; ; ) {
      const end = bytes.indexOf('\r\n', at);
      const length = parseInt(bytes.toString('latin1', at, end), 16);
      if (!(length > 0)) return Buffer.concat(parts);
      parts.push(bytes.subarray(end + 2, end + 2 + length));
      at = end + 4 + length;
    }
  }

  function frames(bytes: Buffer): [number, string][] {
    const all: [number, string][] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUInt32BE(at + 4);
      all.push([bytes[at] ?? -1, bytes.toString('utf8', at + 8, at + 8 + length)]);
      at += 8 + length;
    }
    return all;
  }

  const request = (line: string, body?: object, ...headers: string[]) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const about = body === undefined ? [] : ['Content-Type: application/json'];
    return [
      `${line} HTTP/1.1`,
      'Host: d',
      ...about,
      `Content-Length: ${text.length}`,
      ...headers,
      '',
      text,
    ].join('\r\n');
  };
  const close = 'Connection: close';
  const json = ({ body }: Answer) => JSON.parse(body.toString()) as Record<string, unknown>;

  test('API 1.24: create, start, wait, logs, inspect, remove', async () => {
    const config = { Image: 'base:1', Cmd: ['sh', '-c', 'echo out; echo err >&2'] };
    const created = await send(request('POST /v1.24/containers/create?name=ancient', config, close));
    assert.equal(created.status, 201);
    const id = String(json(created)['Id']);
    assert.equal((await send(request(`POST /v1.24/containers/${id}/start`, undefined, close))).status, 204);
    assert.deepEqual(json(await send(request('POST /v1.24/containers/ancient/wait', undefined, close))), {
      StatusCode: 0,
      Error: null,
    });
    const logs = await send(
      request('GET /v1.24/containers/ancient/logs?stdout=1&stderr=1', undefined, close),
    );
    assert.deepEqual(frames(logs.body).sort(), [
      [1, 'out\n'],
      [2, 'err\n'],
    ]);
    const inspected = json(await send(request('GET /v1.24/containers/ancient/json', undefined, close)));
    assert.equal(inspected['Name'], '/ancient');
    assert.equal((await send(request('DELETE /v1.24/containers/ancient', undefined, close))).status, 204);
    assert.equal((await send(request('GET /v1.23/version', undefined, close))).status, 400);
  });

  for (const [what, headers, status] of [
    ['with Upgrade is 101', ['Connection: Upgrade', 'Upgrade: tcp'], 101],
    ['without is 200', [], 200],
  ] as const) {
    test(`exec start ${what}, and the output follows on the connection`, async () => {
      docker('run', '-d', '--name', 'raw', 'base:1', 'sleep', '1000');
      const exec = { AttachStdout: true, AttachStderr: true, Cmd: ['sh', '-c', 'echo out; echo err >&2'] };
      const { Id } = json(await send(request('POST /v1.43/containers/raw/exec', exec, close)));
      const started = await send(request(`POST /v1.43/exec/${String(Id)}/start`, {}, ...headers));
      assert.equal(started.status, status);
      assert.deepEqual(frames(started.body).sort(), [
        [1, 'out\n'],
        [2, 'err\n'],
      ]);
      docker('rm', '-f', 'raw');
    });
  }

  test('half-closing an attached connection ends stdin, and the rest of the output still comes', async () => {
    const config = {
      Image: 'base:1',
      Cmd: ['sh', '-c', 'wc -c; sleep 0.3; echo after'],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
    };
    await send(request('POST /containers/create?name=half', config, close));
    const attach = request(
      'POST /containers/half/attach?stdin=1&stdout=1&stream=1',
      undefined,
      'Connection: Upgrade',
      'Upgrade: tcp',
    );
    const attached = send(`${attach}0123456789`, { end: true });
    docker('start', 'half');
    const answer = await attached;
    assert.equal(answer.status, 101);
    assert.equal(
      frames(answer.body)
        .map(([, text]) => text)
        .join(''),
      '10\nafter\n',
    );
    docker('wait', 'half');
    docker('rm', 'half');
  });

  test('several requests on one connection, in order', async () => {
    const answer = await send(
      request('GET /_ping') + request('GET /v1.43/version') + request('GET /_ping', undefined, close),
    );
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString().match(/HTTP\/1\.1 200/g)?.length, 2);
  });

  test('what is no HTTP gets 400, and the engine goes on', async () => {
    assert.equal((await send('what is this\r\n\r\n')).status, 400);
    assert.equal(docker('ps', '-q'), '');
  });
});
