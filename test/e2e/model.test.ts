import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { openDaemon, runCommand, type TestDaemon } from '../support/daemon.ts';

// The model of images and containers, line by line, as a person with the docker CLI sees it.

let engine: TestDaemon;
const context = mkdtempSync(join(tmpdir(), 'gantry-test-context-'));

before(async () => {
  engine = await openDaemon();
});
after(async () => {
  rmSync(context, { recursive: true, force: true });
  await engine.destroy();
});

const docker = (...args: string[]) => engine.ok(args);
const inspect = (name: string, template: string) => docker('inspect', '-f', template, name);
const layersOf = (name: string) => JSON.parse(inspect(name, '{{json .RootFS.Layers}}')) as string[];
const lines = (text: string) => (text === '' ? [] : text.split('\n'));

/** Builds a Dockerfile of these lines. */
function build(tag: string, ...dockerfile: string[]): string {
  writeFileSync(join(context, 'Dockerfile'), `${dockerfile.join('\n')}\n`);
  return docker('build', '-t', tag, context);
}

describe('an image is a read-only template of layers', () => {
  test('each instruction that changes files adds a layer, the others only history', () => {
    build(
      'layers:1',
      'FROM base:1',
      'ENV A=1',
      'RUN echo one > /one',
      'LABEL l=2',
      'RUN echo two > /two',
      'CMD ["true"]',
    );
    const base = layersOf('base:1');
    const built = layersOf('layers:1');
    assert.deepEqual(built.slice(0, base.length), base);
    assert.equal(built.length, base.length + 2);
    assert.equal(lines(docker('history', '-q', 'layers:1')).length, 6);
  });

  test('each step of a build is an image with a parent, listed by "image ls -a" as <none>', () => {
    const id = inspect('layers:1', '{{.Id}}');
    const history = lines(docker('history', '-q', '--no-trunc', 'layers:1'));
    assert.equal(history[0], id);
    assert.equal(inspect('layers:1', '{{.Parent}}'), history[1]);
    const all = lines(docker('image', 'ls', '-a', '--no-trunc', '--format', '{{.Repository}} {{.ID}}'));
    assert.ok(all.includes(`<none> ${history[1]}`));
    const listed = lines(docker('image', 'ls', '--no-trunc', '-q'));
    assert.ok(!listed.includes(history[1] ?? ''));
  });

  test('the next build reuses them', () => {
    const id = inspect('layers:1', '{{.Id}}');
    const output = docker('build', '-t', 'layers:2', context);
    assert.equal(output.match(/ ---> Using cache/g)?.length, 5);
    assert.equal(inspect('layers:2', '{{.Id}}'), id);
  });

  test('a rebuild makes a new image and moves the tag; the old one stays as it was', () => {
    const before = inspect('layers:1', '{{.Id}}');
    docker('tag', 'layers:1', 'layers:keep');
    build('layers:1', 'FROM base:1', 'RUN echo other > /one');
    assert.notEqual(inspect('layers:1', '{{.Id}}'), before);
    assert.equal(inspect('layers:keep', '{{.Id}}'), before);
    assert.equal(docker('run', '--rm', 'layers:keep', 'cat', '/one', '/two'), 'one\ntwo');
  });
});

describe('a container is a running instance with one writable layer on top', () => {
  test('changes stay in it over stop and start, and are gone with rm', () => {
    docker('run', '-d', '--name', 'writer', 'base:1', 'sh', '-c', 'echo kept >> /note; exec sleep 1000');
    docker('stop', '-t', '0', 'writer');
    docker('start', 'writer');
    assert.equal(docker('exec', 'writer', 'cat', '/note'), 'kept\nkept');
    assert.deepEqual(lines(docker('diff', 'writer')), ['A /note']);
    docker('rm', '-f', 'writer');
    assert.equal(engine.docker(['run', '--rm', 'base:1', 'cat', '/note']).code, 1);
  });

  test('what goes to a volume outlives the container', () => {
    docker('run', '--rm', '-v', 'kept:/data', 'base:1', 'sh', '-c', 'echo safe > /data/x');
    assert.equal(docker('run', '--rm', '-v', 'kept:/data', 'base:1', 'cat', '/data/x'), 'safe');
    docker('volume', 'rm', 'kept');
  });

  test('two containers of one image never see each other, and neither changes the image', () => {
    const id = inspect('base:1', '{{.Id}} {{json .RootFS}}');
    docker('run', '-d', '--name', 'left', 'base:1', 'sh', '-c', 'echo left > /side; exec sleep 1000');
    docker('run', '-d', '--name', 'right', 'base:1', 'sh', '-c', 'echo right > /side; exec sleep 1000');
    assert.equal(docker('exec', 'left', 'cat', '/side'), 'left');
    assert.equal(docker('exec', 'right', 'cat', '/side'), 'right');
    assert.equal(inspect('base:1', '{{.Id}} {{json .RootFS}}'), id);
    docker('rm', '-f', 'left', 'right');
  });

  test('layers that images share are stored once', () => {
    const stored = () => [
      lines(docker('system', 'df', '--format', '{{.Type}} {{.Size}}'))[0],
      readdirSync(join(engine.root, 'snapshots')).length,
    ];
    writeFileSync(join(context, 'big'), randomBytes(4 << 20));
    build('shared:1', 'FROM base:1', 'COPY big /big');
    const before = stored();
    docker('tag', 'base:1', 'base:again');
    // The same layer, on an image that the first one knows nothing of.
    build('shared:2', 'FROM base:1', 'LABEL shared=2', 'COPY big /big');
    assert.notEqual(inspect('shared:2', '{{.Parent}}'), inspect('shared:1', '{{.Parent}}'));
    assert.deepEqual(layersOf('shared:2'), layersOf('shared:1'));
    assert.deepEqual(stored(), before);
    docker('rmi', 'shared:1');
    assert.equal(docker('run', '--rm', 'shared:2', 'stat', '-c', '%s', '/big'), String(4 << 20));
    docker('rmi', 'base:again', 'shared:2');
  });
});

describe('names and IDs', () => {
  test('an image has the digest of its config as ID and is found by any unambiguous prefix', () => {
    const id = inspect('base:1', '{{.Id}}');
    const archive = join(context, 'base.tar');
    docker('save', '-o', archive, 'base:1');
    const member = (name: string) => runCommand('tar', ['-xOf', archive, name]).stdout;
    const [saved] = JSON.parse(member('manifest.json')) as [{ readonly Config: string }];
    assert.equal(`sha256:${createHash('sha256').update(member(saved.Config)).digest('hex')}`, id);
    rmSync(archive);
    assert.equal(inspect(id.slice(7, 17), '{{.Id}}'), id);
  });

  test('a prefix of several images or containers names none', () => {
    const steps = Array.from({ length: 17 }, (_, index) => `ENV STEP=${index}`);
    build('steps:1', 'FROM base:1', ...steps);
    const listed = new Set(lines(docker('image', 'ls', '-aq', '--no-trunc')));
    const images = [...listed].map((id) => id.slice('sha256:'.length));
    const containers = Array.from({ length: 17 }, () => docker('create', 'base:1', 'true'));
    // Of seventeen, two begin with the same digit.
    const ambiguous = (ids: readonly string[]) =>
      ids.map(([first = '']) => first).find((digit, index, all) => all.indexOf(digit) !== index) ?? '';
    for (const [command, ids] of [
      ['rmi', images],
      ['rm', containers],
    ] as const) {
      const refused = engine.docker([command, ambiguous(ids)]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /multiple IDs found with provided prefix|ambiguous/i);
    }
    docker('rm', ...containers);
    docker('rmi', 'steps:1');
  });

  test('a container gets a unique ID and, unless named, a name of ours', () => {
    const id = docker('create', 'base:1', 'true');
    assert.match(id, /^[0-9a-f]{64}$/);
    const name = inspect(id.slice(0, 8), '{{.Name}}');
    assert.match(name, /^\/[a-z]+_[a-z]+\d?$/);
    assert.equal(inspect(name.slice(1), '{{.Id}}'), id);
    docker('rm', id.slice(0, 12));
  });
});

describe('volumes and networks', () => {
  test('attach to containers at run time and are no part of the image', () => {
    docker('run', '-d', '--name', 'attached', '-v', 'v1:/data', 'base:1', 'sleep', '1000');
    assert.equal(inspect('attached', '{{range .Mounts}}{{.Name}}{{end}}'), 'v1');
    assert.match(
      inspect('attached', '{{.NetworkSettings.Networks.bridge.IPAddress}}'),
      /^\d+\.\d+\.\d+\.\d+$/,
    );
    assert.equal(inspect('base:1', '{{json .Config.Volumes}}'), 'null');
    docker('rm', '-f', 'attached');
    docker('volume', 'rm', 'v1');
  });
});

describe('sharing', () => {
  test('an image travels in an archive and keeps its ID', () => {
    build('travel:1', 'FROM base:1', 'RUN echo there > /there');
    const id = inspect('travel:1', '{{.Id}}');
    const archive = join(context, 'travel.tar');
    docker('save', '-o', archive, 'travel:1');
    docker('rmi', 'travel:1');
    assert.match(docker('load', '-i', archive), /Loaded image: travel:1/);
    assert.equal(inspect('travel:1', '{{.Id}}'), id);
    assert.equal(docker('run', '--rm', 'travel:1', 'cat', '/there'), 'there');
    rmSync(archive);
  });

  test('a container is shared by making an image of it: commit, or export and import', () => {
    docker('run', '--name', 'source', 'base:1', 'sh', '-c', 'echo made > /made');
    docker('commit', '-m', 'by hand', '-c', 'CMD ["cat","/made"]', 'source', 'committed:1');
    assert.equal(docker('run', '--rm', 'committed:1'), 'made');
    assert.equal(layersOf('committed:1').length, layersOf('base:1').length + 1);
    const archive = join(context, 'export.tar');
    docker('export', '-o', archive, 'source');
    docker('import', archive, 'imported:1');
    assert.equal(docker('run', '--rm', 'imported:1', 'cat', '/made'), 'made');
    assert.equal(layersOf('imported:1').length, 1);
    docker('rm', 'source');
    rmSync(archive);
  });
});

describe('a running container', () => {
  test('takes further commands, keeps its log, and can be inspected when stopped', () => {
    docker('run', '-d', '--name', 'alive', 'base:1', 'sh', '-c', 'echo out; echo err >&2; exec sleep 1000');
    assert.equal(docker('exec', 'alive', 'echo', 'inside'), 'inside');
    const logs = engine.docker(['logs', 'alive']);
    assert.deepEqual([logs.stdout, logs.stderr], ['out\n', 'err\n']);
    docker('stop', '-t', '0', 'alive');
    assert.equal(inspect('alive', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137');
    assert.equal(engine.docker(['logs', 'alive']).stdout, 'out\n');
    docker('rm', 'alive');
  });
});

describe('removal', () => {
  test('an image that any container refers to is kept without force', () => {
    build('used:1', 'FROM base:1', 'ENV USED=1');
    docker('create', '--name', 'user', 'used:1', 'true');
    const refused = engine.docker(['rmi', 'used:1']);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /conflict: unable to remove repository reference "used:1" \(must force\) - container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}/,
    );
    docker('rm', 'user');
    docker('rmi', 'used:1');
  });

  test('an image that a running container refers to loses its name by force, and stays', () => {
    build('used:2', 'FROM base:1', 'ENV USED=2');
    const id = inspect('used:2', '{{.Id}}');
    docker('run', '-d', '--name', 'user', 'used:2', 'sleep', '1000');
    const refused = engine.docker(['rmi', 'used:2']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /unable to remove repository reference "used:2" \(must force\)/);
    const forced = engine.docker(['rmi', '-f', id]);
    assert.equal(forced.code, 1);
    assert.match(
      forced.stderr,
      /conflict: unable to delete [0-9a-f]{12} \(cannot be forced\) - image is being used by running container [0-9a-f]{12}/,
    );
    assert.equal(docker('rmi', '-f', 'used:2'), 'Untagged: used:2');
    assert.equal(inspect(id, '{{json .RepoTags}}'), '[]');
    assert.equal(docker('exec', 'user', 'sh', '-c', 'echo $USED'), '2');
    docker('rm', '-f', 'user');
    docker('rmi', id);
  });

  test('a running container is kept without force', () => {
    docker('run', '-d', '--name', 'busy', 'base:1', 'sleep', '1000');
    const refused = engine.docker(['rm', 'busy']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /container is running: stop the container before removing or force remove/);
    assert.equal(inspect('busy', '{{.State.Running}}'), 'true');
    docker('rm', '-f', 'busy');
  });

  test('image prune takes dangling images, container prune stopped containers', () => {
    build('prune:1', 'FROM base:1', 'RUN echo a > /p');
    const old = inspect('prune:1', '{{.Id}}');
    build('prune:1', 'FROM base:1', 'RUN echo b > /p');
    docker('run', '--name', 'stopped', 'base:1', 'true');
    docker('run', '-d', '--name', 'going', 'base:1', 'sleep', '1000');
    assert.ok(docker('image', 'prune', '-f').includes(`deleted: ${old}`));
    docker('container', 'prune', '-f');
    assert.deepEqual(lines(docker('ps', '-a', '--format', '{{.Names}}')), ['going']);
    docker('rm', '-f', 'going');
    assert.equal(inspect('prune:1', '{{.Id}}').length, 71);
  });
});
