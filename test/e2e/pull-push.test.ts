import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { hostPlatform } from '../../src/oci/index.ts';
import { type CommandOptions, openDaemon, runCommand, startDaemon } from '../support/daemon.ts';
import { startDebianRegistry } from '../support/docker-registry.ts';
import { untilNow } from '../support/event-times.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';
import { tarOf } from '../support/image-store.ts';

// Images between the engine and Debian's docker-registry, through the clients people have.

const registry = await startDebianRegistry({ after });
const engine = await startDaemon({ after });
const files = temporaryDirectory({ after });
const docker = (...args: string[]) => engine.ok(args);
const name = (path: string) => `${registry.host}/${path}`;

function ok(program: string, args: readonly string[], options: CommandOptions = {}): string {
  const result = runCommand(program, args, options);
  assert.equal(result.code, 0, `${program} ${args.join(' ')}: ${result.stderr || result.stdout}`);
  return result.stdout.trim();
}

function fails(args: readonly string[], text: RegExp): void {
  const result = engine.docker(args);
  assert.notEqual(result.code, 0);
  assert.match(result.stderr + result.stdout, text);
}

/** The digest a registry has a name under, as skopeo sees it. */
function digestIn(reference: string): string {
  return ok('skopeo', ['inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${reference}`]);
}

function skopeoCopy(from: string, to: string, ...more: string[]): void {
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  ok('skopeo', ['copy', '-q', '--insecure-policy', ...insecure, ...more, from, to]);
}

writeTree(files, {
  'app/Dockerfile': 'FROM base:1\nLABEL of=test\nCOPY a /a\nRUN rm /bin/awk && mkdir /empty\nCOPY b /a/b\n',
  'app/a/one': 'one\n',
  'app/b': 'b'.repeat(300_000),
});
docker('build', '-q', '-t', name('team/app:1'), join(files, 'app'));

test('what was built is pushed, is pulled again with the same digest, and runs', () => {
  const pushed = docker('push', name('team/app:1'));
  assert.match(pushed, /^The push refers to repository \[127\.0\.0\.1:\d+\/team\/app\]$/m);
  assert.match(pushed, /^[0-9a-f]{12}: Preparing$/m);
  assert.match(pushed, /^[0-9a-f]{12}: Pushed$/m);
  const [, digest = ''] = /^1: digest: (sha256:[0-9a-f]{64}) size: \d+$/m.exec(pushed) ?? [];
  assert.equal(digestIn(name('team/app:1')), digest);
  const id = docker('image', 'inspect', '-f', '{{.Id}}', name('team/app:1'));
  assert.match(docker('push', name('team/app:1')), /: Layer already exists\n/);

  docker('rmi', '-f', id);
  const pulled = docker('pull', name('team/app:1'));
  assert.match(pulled, /^1: Pulling from team\/app$/m);
  assert.match(pulled, /^[0-9a-f]{12}: Already exists$/m, 'the base is here');
  for (const status of ['Pulling fs layer', 'Download complete', 'Pull complete']) {
    assert.match(pulled, new RegExp(`^[0-9a-f]{12}: ${status}$`, 'm'));
  }
  assert.match(pulled, new RegExp(`^Digest: ${digest}$`, 'm'));
  assert.match(pulled, /^Status: Downloaded newer image for 127\.0\.0\.1:\d+\/team\/app:1$/m);
  assert.equal(docker('image', 'inspect', '-f', '{{.Id}}', name('team/app:1')), id);
  assert.deepEqual(JSON.parse(docker('image', 'inspect', '-f', '{{json .RepoDigests}}', id)), [
    `${name('team/app')}@${digest}`,
  ]);
  assert.equal(
    docker('run', '--rm', name('team/app:1'), 'sh', '-c', 'cat /a/one; ls /bin/awk 2>&1; wc -c < /a/b'),
    'one\nls: /bin/awk: No such file or directory\n300000',
  );
  assert.match(docker('pull', name('team/app:1')), /Status: Image is up to date for/);
  assert.match(docker('push', name('team/app:1')), new RegExp(`digest: ${digest} size`));
});

test('a pull and a quiet push end with the whole name of the image', () => {
  const repository = name('team/named');
  docker('tag', name('team/app:1'), repository);
  for (const cli of ['docker', 'gantry'] as const) {
    for (const [command, whole] of [
      ['push -q', `${repository}:latest`],
      ['push -q -a', repository],
      ['pull', `${repository}:latest`],
      ['pull -q', `${repository}:latest`],
      ['pull -a', repository],
    ] as const) {
      const { code, stdout, stderr } = engine[cli]([...command.split(' '), repository]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout.trimEnd().split('\n').at(-1), whole, `${cli} ${command}`);
    }
  }
  docker('rmi', repository);
});

test('a pull by digest, of all tags, quiet, and with the 20.10 client', () => {
  docker('tag', name('team/app:1'), name('team/all:a'));
  docker('tag', 'base:1', name('team/all:b'));
  const pushed = docker('push', '-a', name('team/all'));
  assert.match(pushed, /: Mounted from team\/\w+\n/);
  assert.match(pushed, /^a: digest: [\s\S]*^b: digest: /m);
  const digest = digestIn(name('team/all:a'));
  docker('rmi', name('team/all:a'), name('team/all:b'));

  assert.match(
    docker('pull', `${name('team/all')}@${digest}`),
    new RegExp(`^${digest}: Pulling from team/all$`, 'm'),
  );
  assert.equal(docker('image', 'inspect', '-f', '{{len .RepoTags}}', `${name('team/all')}@${digest}`), '1');
  docker('pull', '-a', name('team/all'));
  assert.equal(docker('images', '-q', name('team/all')).split('\n').length, 2);
  docker('rmi', name('team/all:b'));
  const old = ok('/usr/bin/docker', ['-H', engine.host, 'pull', '-q', name('team/all:b')]);
  assert.equal(old, name('team/all:b'));
});

test('a container or a build of an image that is missing pulls it', () => {
  docker('rmi', '-f', name('team/app:1'), name('team/all:a'));
  const ran = engine.docker(['run', '--rm', name('team/app:1'), 'cat', '/a/one']);
  assert.equal(ran.stdout, 'one\n', ran.stderr);
  assert.match(ran.stderr, /^Unable to find image '127\.0\.0\.1:\d+\/team\/app:1' locally$/m);
  fails(
    ['run', '--pull', 'never', '--rm', name('team/none:1')],
    /No such image: 127\.0\.0\.1:\d+\/team\/none:1/,
  );
  docker('run', '--pull', 'always', '--rm', name('team/app:1'), 'true');

  docker('rmi', '-f', name('team/app:1'));
  writeTree(join(files, 'from'), {
    Dockerfile: `FROM ${name('team/app:1')}\nCOPY --from=${name('team/all:b')} /bin/busybox /copied\n`,
  });
  const built = docker('build', '-t', 'from:1', join(files, 'from'));
  assert.match(built, /^1: Pulling from team\/app$/m);
  assert.match(built, /^ ---> [0-9a-f]{12}$/m);
  assert.match(docker('build', '--pull', join(files, 'from')), /Status: Image is up to date for/);
  assert.doesNotMatch(docker('build', join(files, 'from')), /Status: Image/);
});

test('refusals are in Docker’s words', () => {
  fails(
    ['pull', name('team/app:nope')],
    /manifest for 127\.0\.0\.1:\d+\/team\/app:nope not found: manifest unknown: manifest unknown/,
  );
  fails(
    ['pull', '127.0.0.1:1/x'],
    /Get "http:\/\/127\.0\.0\.1:1\/v2\/": dial tcp 127\.0\.0\.1:1: connect: connection refused/,
  );
  fails(
    ['push', name('not/here:1')],
    /An image does not exist locally with the tag: 127\.0\.0\.1:\d+\/not\/here/,
  );
  fails(['push', name('team/app:7')], /tag does not exist: 127\.0\.0\.1:\d+\/team\/app:7/);
  fails(['pull', name('Team/app')], /must be lowercase/);
});

test('an index gives the image of the platform, and says what it has when none fits', async () => {
  const layout = join(files, 'layout');
  skopeoCopy(`docker://${name('team/all:b')}`, `oci:${layout}:amd`);
  const index = JSON.parse(ok('cat', [join(layout, 'index.json')])) as {
    manifests: Record<string, unknown>[];
  };
  const [manifest = {}] = index.manifests;
  const entries = [
    { ...manifest, annotations: undefined, platform: { os: 'linux', architecture: 'amd64' } },
    { ...manifest, annotations: undefined, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
  ];
  const bytes = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: entries,
  });
  const put = await fetch(`http://${registry.host}/v2/team/all/manifests/multi`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/vnd.oci.image.index.v1+json' },
    body: bytes,
  });
  assert.equal(put.status, 201);
  docker('pull', name('team/all:multi'));
  assert.equal(docker('run', '--rm', name('team/all:multi'), 'echo', 'runs'), 'runs');
  fails(
    ['pull', '--platform', 'linux/riscv64', name('team/all:multi')],
    /no matching manifest for linux\/riscv64 in the manifest list entries: it has linux\/amd64, linux\/arm\/v7/,
  );
  const client = createClient({ host: engine.host });
  const described = await client.images.describe(name('team/all:multi'));
  client[Symbol.dispose]();
  assert.equal(described.Descriptor.mediaType, 'application/vnd.oci.image.index.v1+json');
  assert.equal(described.Platforms.length, 2);
  const inspected = engine.since(25, ['manifest', 'inspect', '--insecure', name('team/all:multi')]);
  assert.match(inspected.stdout, /"architecture": "arm"/, inspected.stderr);
});

test('a pull asks for the host’s platform again after one for another, and tells when it brought nothing', async () => {
  const [amd, arm] = ['linux/amd64', 'linux/arm64'].map((platform) => {
    const tag = name(`platforms/app:${platform.slice('linux/'.length)}`);
    writeFileSync(join(files, 'rootfs.tar'), tarOf({ platform }));
    docker('import', '--platform', platform, join(files, 'rootfs.tar'), tag);
    const digest = /digest: (sha256:\w+) size: (\d+)/.exec(docker('push', tag)) ?? assert.fail();
    docker('rmi', tag);
    return { digest: digest[1] ?? '', size: Number(digest[2]), tag };
  });
  assert.ok(amd !== undefined && arm !== undefined);
  const type = 'application/vnd.oci.image.index.v1+json';
  const entryOf = ({ digest, size }: { digest: string; size: number }, architecture: string) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest,
    size,
    platform: { os: 'linux', architecture },
  });
  const put = await fetch(`http://${registry.host}/v2/platforms/app/manifests/both`, {
    method: 'PUT',
    headers: { 'Content-Type': type },
    body: JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      manifests: [entryOf(amd, 'amd64'), entryOf(arm, 'arm64')],
    }),
  });
  assert.equal(put.status, 201);
  const both = name('platforms/app:both');
  const architecture = () => docker('image', 'inspect', '-f', '{{.Architecture}}', both);
  docker('pull', '--platform', 'linux/arm64', both);
  assert.equal(architecture(), 'arm64');
  assert.match(docker('pull', both), /Status: Downloaded newer image/);
  assert.equal(architecture(), hostPlatform().architecture);
  assert.match(docker('pull', both), /Status: Image is up to date/);
  docker('rmi', '-f', both);
  for (const reference of [arm.tag, `${arm.tag}@${arm.digest}`]) {
    docker('pull', reference);
    assert.match(docker('pull', reference), /Status: Image is up to date/, reference);
  }
  docker('rmi', '-f', docker('images', '-q', name('platforms/app')));
});

test('a pull and a load bring again what an image has lost', () => {
  const image = name('lost/app:1');
  const archive = join(files, 'plain.tar');
  writeTree(join(files, 'lost'), { Dockerfile: 'FROM base:1\nCOPY one /one\n', one: 'one\n' });
  docker('build', '-q', '-t', image, join(files, 'lost'));
  // Of plain layers, where a pull brings compressed ones.
  docker('save', '-o', archive, image);
  docker('push', image);
  docker('rmi', image);
  docker('builder', 'prune', '-af');
  docker('pull', image);
  const lost = () => {
    const told = engine.gantry(['store', 'check', '--repair']).stdout;
    return blobsOf(image).filter((blob) => told.includes(blob)).length;
  };
  const loseBlobs = () => {
    const blobs = join(engine.root, 'content/blobs/sha256');
    for (const blob of blobsOf(image)) rmSync(join(blobs, blob.slice('sha256:'.length)), { force: true });
    assert.equal(lost(), blobsOf(image).length);
  };
  loseBlobs();
  assert.match(docker('pull', image), /: Pull complete[^]*Status: Downloaded newer image/);
  assert.equal(lost(), 0);
  assert.match(docker('pull', image), /Status: Image is up to date/);
  loseBlobs();
  docker('load', '-i', archive);
  assert.equal(lost(), 0);
  assert.equal(docker('run', '--rm', image, 'cat', '/one'), 'one');
});

/** The layer blobs of an image. */
function blobsOf(image: string): string[] {
  const told = engine.gantry(['image', 'layers', '--format', 'json', image]).stdout;
  const { Layers } = JSON.parse(told) as { Layers: { Blob: { Digest: string } }[] };
  return Layers.map(({ Blob }) => Blob.Digest);
}

test('zstd and plain layers, and Docker’s schema 2, keep their digests there and back', () => {
  const sources: Record<string, string[]> = {
    v2s2: ['--format', 'v2s2'],
    zstd: ['--format', 'oci', '--dest-compress-format', 'zstd'],
  };
  writeTree(join(files, 'formats'), { Dockerfile: 'FROM base:1\nCOPY a /a/one\n', a: 'one\n' });
  docker('build', '-q', '-t', name('formats/app:1'), join(files, 'formats'));
  docker('push', name('formats/app:1'));
  const forget = () => docker('rmi', '-f', docker('images', '-q', name('formats/app:1')));
  for (const [tag, flags] of Object.entries(sources)) {
    const from = name(`formats/${tag}:1`);
    skopeoCopy(`docker://${name('formats/app:1')}`, `docker://${from}`, ...flags);
    const digest = digestIn(from);
    // The same image under another manifest would be pushed as it came first.
    forget();
    docker('pull', from);
    docker('tag', from, name(`again/${tag}:1`));
    assert.match(docker('push', name(`again/${tag}:1`)), new RegExp(`^1: digest: ${digest} size`, 'm'), tag);
    assert.equal(docker('run', '--rm', from, 'cat', '/a/one'), 'one');
    docker('rmi', '-f', docker('images', '-q', from));
    docker('pull', name('formats/app:1'));
  }
});

test('events name what was pulled and pushed', () => {
  const events = docker(
    'events',
    '--since',
    '1h',
    '--until',
    untilNow(),
    '--filter',
    'type=image',
    '--format',
    '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}} {{.Actor.Attributes.of}}',
  );
  const image = name('team/app');
  assert.ok(events.includes(`push ${image}:1 ${image} test`), events);
  assert.ok(events.includes(`pull ${image}:1 ${image} test`), events);
});

test('the event of a commit tells its image, and the name that got', () => {
  docker('create', '--name', 'commits', 'base:1', 'true');
  const format = '{{.Actor.Attributes.imageID}} {{.Actor.Attributes.imageRef}} {{.Actor.Attributes.comment}}';
  const ids = [docker('commit', '-m', 'why', 'commits', 'committed'), docker('commit', 'commits')];
  const period = ['--since', '1h', '--until', untilNow()];
  const told = docker('events', ...period, '--filter', 'event=commit', '--format', format).split('\n');
  assert.deepEqual(told, [`${ids[0]} committed:latest why`, `${ids[1]}`]);
  docker('rm', 'commits');
  docker('rmi', ...ids);
});

test('a second engine pulls what the first pushed, twice at once, and nothing is left over', async () => {
  const other = await openDaemon({ base: false });
  try {
    const results = await Promise.all(
      [0, 1].map(async () => {
        const { spawn } = await import('node:child_process');
        const child = spawn('docker', ['-H', other.host, 'pull', name('team/app:1')], { stdio: 'ignore' });
        return new Promise<number | null>((resolve) => child.once('exit', resolve));
      }),
    );
    assert.deepEqual(results, [0, 0]);
    assert.deepEqual(readdirSync(join(other.root, 'content', 'partial')), []);
    assert.equal(other.ok(['run', '--rm', name('team/app:1'), 'cat', '/a/one']), 'one');
    other.ok(['rmi', '-f', name('team/app:1')]);
    assert.deepEqual(readdirSync(join(other.root, 'content', 'blobs', 'sha256')), []);
  } finally {
    await other.destroy();
  }
});

mkdirSync(join(files, 'docker-config'), { recursive: true });
writeFileSync(join(files, 'docker-config', 'config.json'), '{}');
