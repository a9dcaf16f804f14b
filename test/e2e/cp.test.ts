import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { get, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';
import { runClient } from '../support/docker-client.ts';
import { busyboxTar } from '../support/rootfs.ts';
import { until } from '../support/until.ts';

// docker cp, running or not: the container's files are those that its processes see.

let engine: TestDaemon;
const files = mkdtempSync(join(tmpdir(), 'gantry-test-cp-'));
const config = join(files, 'app.conf');

before(async () => {
  writeFileSync(config, 'from the host\n');
  engine = await openDaemon();
});
after(async () => {
  rmSync(files, { recursive: true, force: true });
  await engine.destroy();
});

const docker = (...args: string[]) => engine.ok(args);
const run = (...args: string[]) => engine.ok(['run', '--rm', ...args]);
const openGet = async (path: string): Promise<IncomingMessage> => {
  const sent = get({ socketPath: engine.host.slice('unix://'.length), path });
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response.setEncoding('latin1');
};
const fresh = () => mkdtempSync(join(files, 'to-'));

test('copies files and directories both ways, running or not', () => {
  docker('run', '-d', '--name', 'cp', '-v', 'cpvol:/vol', 'base:1', 'sleep', '1000');
  docker('cp', config, 'cp:/tmp/in');
  assert.equal(docker('exec', 'cp', 'cat', '/tmp/in'), 'from the host');
  docker('cp', config, 'cp:/vol/in');
  assert.equal(docker('exec', 'cp', 'cat', '/vol/in'), 'from the host');
  docker('exec', 'cp', 'sh', '-c', 'mkdir /d && echo x > /d/f && ln -s /d/f /d/l');
  docker('stop', '-t', '0', 'cp');
  docker('cp', 'cp:/d', join(files, 'd'));
  assert.equal(engine.ok(['cp', 'cp:/d/f', '-']).includes('x\n'), true);
  docker('cp', join(files, 'd'), 'cp:/e');
  docker('start', 'cp');
  assert.equal(docker('exec', 'cp', 'cat', '/e/l'), 'x');
  assert.match(
    engine.docker(['cp', 'cp:/nope', '-']).stderr,
    /Could not find the file \/nope in container cp|No such container:path: cp:\/nope/,
  );
  assert.match(
    engine.docker(['cp', config, 'cp:/nope/in']).stderr,
    /Could not find the file \/nope in container cp|No such container:path: cp:\/nope/,
  );
  const onFile = engine.docker(['cp', '-', 'cp:/e/f'], { input: busyboxTar() });
  assert.match(onFile.stderr, /extraction point is not a directory|destination .* must be a directory/);
  docker('rm', '-f', 'cp');
  docker('volume', 'rm', 'cpvol');
});

test('a copy or export of a container that is removed meanwhile has all of its files', async () => {
  const script = 'mkdir /many; for i in $(seq 3000); do echo >/many/$i; done';
  for (const path of ['archive?path=/many', 'export']) {
    const id = docker('create', 'base:1', 'sh', '-c', script);
    docker('start', '-a', id);
    let text = '';
    for await (const chunk of await openGet(`/containers/${id}/${path}`)) {
      if (text === '') {
        docker('rm', id);
        const trash = join(engine.root, 'snapshots/trash');
        await until(() => readdirSync(trash).length === 0, 'the trash to be emptied');
      }
      text += chunk as string;
    }
    assert.equal(text.match(/many\/\d+\0/g)?.length, 3000, path);
  }
});

test('an archive that arrives while its container restarts is unpacked in its volume', async () => {
  const tree = fresh();
  for (const name of ['one', 'two']) writeFileSync(join(tree, name), name);
  const tar = execFileSync('tar', ['-cf', '-', '--format=ustar', 'one', 'two'], { cwd: tree });
  for (const sent of [0, 1024]) {
    docker('run', '-d', '--name', 'held', '-v', 'heldvol:/backup', 'base:1', 'sleep', '1000');
    const path = '/containers/held/archive?path=/backup';
    const socketPath = engine.host.slice('unix://'.length);
    const put = request({ socketPath, method: 'PUT', path, agent: false });
    put.flushHeaders();
    const [socket] = (await once(put, 'socket')) as [Socket];
    await once(socket, 'ready');
    if (sent > 0) put.write(tar.subarray(0, sent));
    await until(() => docker('exec', 'held', 'ls', '/backup') === (sent > 0 ? 'one' : ''), 'the first file');
    docker('restart', '-t', '0', 'held');
    put.end(tar.subarray(sent));
    const [{ statusCode }] = (await once(put, 'response')) as [IncomingMessage];
    assert.equal(statusCode, 200);
    assert.equal(docker('exec', 'held', 'ls', '/backup'), 'one\ntwo');
    docker('rm', '-f', 'held');
    docker('volume', 'rm', 'heldvol');
  }
});

test('a container that never ran has its working directory', () => {
  const tree = fresh();
  writeFileSync(join(tree, 'file'), '');
  docker('create', '--name', 'new', '-w', '/work/here', 'base:1', 'find', '-type', 'f');
  docker('cp', tree, 'new:/work/here');
  docker('cp', config, 'new:/work/here/');
  docker('cp', config, 'new:/work/here/second');
  const found = docker('start', '-a', 'new').split('\n').sort();
  assert.deepEqual(found, [`./${basename(tree)}/file`, './app.conf', './second'].sort());
  docker('rm', 'new');

  const onFile = docker('create', '-w', '/etc/passwd/x', 'base:1', 'true');
  docker('cp', config, `${onFile}:/tmp/`);
  docker('rm', onFile);
});

for (const cli of ['docker', 'gantry'] as const) {
  test(`${cli} cp gives what it follows a link to the name of the link`, () => {
    const copy = (...args: string[]) => {
      const { code, stderr } = engine[cli](['cp', ...args]);
      assert.equal(code, 0, stderr);
    };
    const [from, to] = [fresh(), fresh()];
    mkdirSync(join(from, 'real'));
    writeFileSync(join(from, 'real/f'), 'x\n');
    symlinkSync('real', join(from, 'link'));
    const id = docker('create', 'base:1', 'ls', '/tmp/link');
    copy(`${from}/link/`, `${id}:/tmp`);
    assert.equal(docker('start', '-a', id), 'f');
    copy(from, `${id}:/linked`);
    copy('-L', `${id}:/linked/link`, to);
    assert.deepEqual(readdirSync(join(to, 'link')), ['f']);
    docker('rm', id);
  });
}

describe('a container that does not run, with mounts', () => {
  const create = (...args: string[]) => docker('create', ...args);

  test('gives a volume by its name in the container, and as part of the directory above', () => {
    run('-v', 'srv:/v', 'base:1', 'sh', '-c', 'echo x > /v/f; chmod 711 /v');
    const id = create('-v', 'srv:/srv/db', 'base:1', 'true');
    for (const path of ['/srv/db', 'srv/db', './srv/../srv/db', '//srv//db']) {
      const to = fresh();
      docker('cp', `${id}:${path}`, to);
      assert.equal(readFileSync(join(to, 'db/f'), 'utf8'), 'x\n', path);
      assert.equal(statSync(to).mode & 0o777, 0o700, 'the target keeps its own mode');
      assert.equal(statSync(join(to, 'db')).mode & 0o777, 0o711);
    }
    const to = fresh();
    docker('cp', `${id}:/srv/db`, join(to, 'out'));
    assert.deepEqual(readdirSync(to), ['out']);
    assert.equal(readFileSync(join(to, 'out/f'), 'utf8'), 'x\n');
    docker('cp', `${id}:/srv`, to);
    assert.equal(readFileSync(join(to, 'srv/db/f'), 'utf8'), 'x\n');
    docker('rm', id);
    docker('volume', 'rm', 'srv');
  });

  test('takes files into a volume, also by an archive unpacked above it', () => {
    const id = create('-v', 'in:/data', 'base:1', 'cat', '/data/file', '/data/app.conf');
    docker('cp', config, `${id}:/data/`);
    const tree = fresh();
    mkdirSync(join(tree, 'data'));
    writeFileSync(join(tree, 'data/file'), 'above\n');
    docker('cp', `${tree}/.`, `${id}:/`);
    assert.equal(docker('start', '-a', id), 'above\nfrom the host');
    docker('rm', id);
    docker('volume', 'rm', 'in');
  });

  test('gives and takes a single file that is mounted, and its changes are the host file', () => {
    const id = create('-v', `${config}:/etc/app.conf`, 'base:1', 'true');
    const to = fresh();
    docker('cp', `${id}:/etc/app.conf`, to);
    assert.equal(readFileSync(join(to, 'app.conf'), 'utf8'), 'from the host\n');
    docker('rm', id);
  });

  test('follows links into mounts and out of them as its processes do', () => {
    run('-v', 'rel:/data', 'base:1', 'sh', '-c', 'mkdir -p /data/releases/1; ln -s releases/1 /data/current');
    writeFileSync(join(files, 'Dockerfile'), 'FROM base:1\nRUN ln -s /data/current /app\n');
    docker('build', '-q', '-t', 'linked:1', files);
    const id = create('-v', 'rel:/data', 'linked:1', 'true');
    docker('cp', config, `${id}:/data/current/`);
    docker('cp', config, `${id}:/app/second`);
    assert.equal(run('-v', 'rel:/data', 'base:1', 'ls', '/data/releases/1'), 'app.conf\nsecond');
    const to = fresh();
    docker('cp', '-L', `${id}:/app`, to);
    assert.deepEqual(readdirSync(join(to, 'app')).sort(), ['app.conf', 'second']);
    docker('rm', id);
    docker('volume', 'rm', 'rel');
  });

  test('sees a volume of driver options, and only the part of a volume that is mounted', () => {
    const host = fresh();
    docker('volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', `device=${host}`, 'bound');
    const bound = create('-v', 'bound:/data', 'base:1', 'true');
    docker('cp', config, `${bound}:/data/copied`);
    assert.equal(readFileSync(join(host, 'copied'), 'utf8'), 'from the host\n');

    run('-v', 'whole:/v', 'base:1', 'sh', '-c', 'mkdir /v/sub; echo part > /v/sub/f; echo whole > /v/f');
    const mount = 'type=volume,src=whole,dst=/m,volume-subpath=sub';
    const part = engine.since(26, ['create', '--mount', mount, 'base:1', 'true']).stdout.trim();
    const to = fresh();
    docker('cp', `${part}:/m/f`, to);
    assert.equal(readFileSync(join(to, 'f'), 'utf8'), 'part\n');
    docker('rm', bound, part);
    docker('volume', 'rm', 'bound', 'whole');
  });

  test('keeps read-only what is mounted so, whatever path leads there', () => {
    const id = create('-v', 'ro:/data:ro', '--read-only', 'base:1', 'true');
    const refused = (path: string) => engine.docker(['cp', config, `${id}:${path}`]).stderr;
    assert.match(refused('/data/'), /mounted volume is marked read-only/);
    assert.match(refused('/tmp/../data/'), /mounted volume is marked read-only/);
    assert.match(refused('/tmp/'), /container rootfs is marked read-only/);
    assert.match(refused('/data/../tmp/'), /container rootfs is marked read-only/);
    docker('rm', id);
    docker('volume', 'rm', 'ro');
  });

  test("-a gives the files of a volume to a user of the container's own /etc/passwd", () => {
    const id = create('-u', 'nobody', '-v', 'owned:/data', 'base:1', 'stat', '-c', '%U', '/data/app.conf');
    docker('cp', '-a', config, `${id}:/data/`);
    assert.equal(docker('start', '-a', id), 'nobody');
    docker('rm', id);
    docker('volume', 'rm', 'owned');
  });

  test('shows the files that the engine wrote for its last run', () => {
    const id = create('-h', 'box', 'base:1', 'true');
    docker('start', '-a', id);
    const to = fresh();
    docker('cp', `${id}:/etc/hostname`, to);
    assert.equal(readFileSync(join(to, 'hostname'), 'utf8'), 'box\n');
    docker('rm', id);
  });

  test('leaves no mount or process behind, and can be started and copied from at the same time', async () => {
    run('-v', 'busy:/data', 'base:1', 'sh', '-c', 'head -c 20000000 /dev/zero > /data/big');
    const id = create('-v', 'busy:/data', 'base:1', 'sleep', '1000');
    const copies = [1, 2, 3].map(async () => runClient(engine, ['cp', `${id}:/data`, fresh()]));
    copies.push(runClient(engine, ['start', id]));
    for (const copy of copies) assert.equal((await copy).code, 0, (await copy).stderr);
    assert.equal(docker('exec', id, 'ls', '/data'), 'big');
    const holders = () =>
      readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isHolder(pid, `PPid:\t${engine.pid}\n`));
    await until(
      () => holders().length === 0,
      () => `processes ${holders().join()} to end`,
    );
    docker('rm', '-f', id);
    docker('volume', 'rm', 'busy');
  });
});

/** A process of the engine that only keeps a view's mounts. */
function isHolder(pid: string, parent: string): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return status.includes(parent) && /^Name:\t(cat|unshare|nsenter)$/m.test(status);
  } catch {
    return false; // It is gone.
  }
}
