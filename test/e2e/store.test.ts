import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  createReadStream,
  globSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { promisify } from 'node:util';
import { digestOf } from '../../src/oci/index.ts';
import { startDaemon } from '../support/daemon.ts';
import { temporaryDirectory } from '../support/files.ts';
import { tarOf } from '../support/image-store.ts';
import { busyboxTar } from '../support/rootfs.ts';

// What the store says of itself, through the docker CLI and our own.

const engine = await startDaemon({ after });
const files = temporaryDirectory({ after });
const docker = (...args: string[]) => engine.ok(args);
const gantry = (...args: string[]): string => {
  const result = engine.gantry(args);
  assert.equal(result.code, 0, `gantry ${args.join(' ')}: ${result.stderr}`);
  return result.stdout.trim();
};

function contextOf(name: string, content: Readonly<Record<string, string>>): string {
  const directory = join(files, name);
  mkdirSync(directory);
  for (const [path, text] of Object.entries(content)) writeFileSync(join(directory, path), text);
  return directory;
}

const kilobytes = (count: number) => 'k'.repeat(count * 1000);

describe('system df', () => {
  test('tells what images share, what containers wrote, volumes, and every record of the build cache', () => {
    const dockerfile =
      'FROM base:1 AS make\nCOPY shared /made\nFROM base:1\nCOPY shared /shared\nCOPY own /own\nCOPY --from=make /made /made\n';
    const shared = kilobytes(30);
    for (const name of ['one', 'two']) {
      const context = contextOf(name, { Dockerfile: dockerfile, shared, own: name + kilobytes(5).slice(3) });
      docker('build', '-q', '-t', `df:${name}`, context);
    }
    docker('run', '-d', '--name', 'df-runs', '-v', 'df-data:/data', 'df:one', 'sleep', '1000');
    docker(
      'exec',
      'df-runs',
      'sh',
      '-c',
      'head -c 7000 /dev/zero >/written; head -c 9000 /dev/zero >/data/kept',
    );

    for (const table of [docker('system', 'df', '-v'), gantry('system', 'df', '-v')]) {
      const base = docker('image', 'inspect', '-f', '{{.Size}}', 'base:1');
      const mb = (bytes: number) => `${Number((bytes / 1e6).toPrecision(4))}MB`;
      assert.match(table, new RegExp(`^df +two .* ${mb(Number(base) + 30_000)} +35kB +0 *$`, 'm'));
      assert.match(table, new RegExp(`^df +one .* ${mb(Number(base) + 30_000)} +35kB +1 *$`, 'm'));
      assert.match(table, /df:one +"sleep 1000" +1 +7kB/);
      assert.match(table, /^df-data +1 +9kB *$/m);
      assert.match(table, /^Build cache usage: 30kB$/m);
      assert.match(table, /^[0-9a-f]{12} +regular +30kB .* false *$/m);
      assert.match(table, /^[0-9a-f]{12} +regular +30kB .* true *$/m);
    }
  });

  test('its parts add up to the layers there are, and pruning the cache frees what it says', () => {
    const rows = docker('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Size}}').split('\n');
    assert.match(rows[3] ?? '', /^Build Cache 6 30kB$/);
    // The tree, config and manifest go; the final image has the same blob.
    assert.match(docker('builder', 'prune', '-f'), /^Total reclaimed space: 31(\.\d+)?kB$/m);
    assert.doesNotMatch(docker('system', 'df', '-v'), /regular .* false *$/m);
    docker('rm', '-f', 'df-runs');
    docker('volume', 'rm', 'df-data');
    docker('rmi', 'df:one', 'df:two');
  });

  test('answers for a hundred images without a walk', () => {
    engine.ok(['load'], { input: archiveOf(100) });
    docker('system', 'df');
    const images = () => docker('system', 'df', '--format', '{{.TotalCount}} {{.Size}}').split('\n')[0] ?? '';
    const before = images();
    assert.match(before, /^101 /);
    const [file = assert.fail(), ...others] = globSync(join(engine.root, 'snapshots/*/fs/file'));
    assert.deepEqual(others, []);
    // Nobody tells the engine.
    appendFileSync(file, kilobytes(1000));
    assert.equal(images(), before);
    writeFileSync(file, 'content');
  });
});

describe('image layers and image diff', () => {
  const dockerfile =
    'FROM base:1\nCOPY big /big\nRUN rm /big && echo short >/etc/motd\nRUN echo longer >/etc/motd\n';

  test('layers tells what each one adds, changes, removes and wastes', () => {
    const context = contextOf('layers', { Dockerfile: dockerfile, big: kilobytes(40) });
    docker('build', '-q', '-t', 'layered:1', context);
    const table = gantry('image', 'layers', 'layered:1');
    assert.match(table, /^LAYER +SIZE +BLOB +ADDED +CHANGED +REMOVED +WASTED +CREATED BY$/m);
    assert.match(table, /^[0-9a-f]{12} +40kB +\S+ +1 +0 +0 +0B .*COPY/m);
    assert.match(table, /^[0-9a-f]{12} +6B +\S+ +1 +0 +1 +40kB .*rm \/big/m);
    assert.match(table, /^[0-9a-f]{12} +7B +\S+ +0 +1 +0 +6B .*echo longer/m);
    assert.match(table, /in 4 layers, 40\.01kB \(2\.0%\) of it wasted$/m);
    assert.match(gantry('image', 'layers', '--changes', 'layered:1'), /^D +- +40kB +\/big$/m);
    const report = JSON.parse(gantry('image', 'layers', '--format', 'json', '--changes', 'layered:1')) as {
      readonly Layers: readonly { readonly Changes: readonly object[] }[];
    };
    assert.deepEqual(report.Layers[3]?.Changes, [{ Kind: 'changed', Path: '/etc/motd', Size: 7, Before: 6 }]);
  });

  test('diff compares images and containers, running or not', () => {
    assert.equal(
      gantry('image', 'diff', '-q', 'base:1', 'layered:1'),
      '/etc/motd',
      'what came and went again is no difference',
    );
    docker('run', '-d', '--name', 'differs', 'layered:1', 'sleep', '1000');
    docker('exec', 'differs', 'sh', '-c', 'mkdir /made && echo 123 >/made/file && rm /etc/motd');
    for (const state of ['running', 'stopped']) {
      if (state === 'stopped') docker('stop', '-t', '0', 'differs');
      const table = gantry('image', 'diff', 'layered:1', 'differs');
      assert.match(table, /^D +- +7B +\/etc\/motd$/m, state);
      assert.match(table, /^A +4B +- +\/made\/file$/m, state);
      assert.match(table, /2 added, 0 changed, 1 removed: \+4B -7B$/m, state);
    }
    docker('rm', '-f', 'differs');
  });

  test('says what it cannot find', () => {
    const unknown = engine.gantry(['image', 'diff', 'base:1', 'nothing']);
    assert.equal(unknown.code, 1);
    assert.equal(unknown.stderr.trim(), 'Error response from daemon: No such image or container: nothing');
    assert.match(engine.gantry(['image', 'layers', 'nothing']).stderr, /No such image: nothing:latest/);
    assert.match(engine.gantry(['image', 'layers', '']).stderr, /image cannot be empty/);
  });
});

describe('save, load and import', () => {
  test('an archive of what another image lacks loads where that one is, and nowhere else', () => {
    docker(
      'build',
      '-q',
      '-t',
      'delta:1',
      contextOf('delta', { Dockerfile: 'FROM base:1\nCOPY own /own\n', own: 'x' }),
    );
    const [whole, delta] = [join(files, 'whole.tar'), join(files, 'delta.tar')];
    docker('save', '-o', whole, 'delta:1');
    gantry('save', '-o', delta, '--since', 'base:1', 'delta:1');
    assert.ok(statSync(delta).size < 50_000 && statSync(whole).size > 1_000_000);
    docker('rmi', 'delta:1');
    assert.equal(docker('load', '-q', '-i', delta), 'Loaded image: delta:1');
    assert.equal(docker('run', '--rm', 'delta:1', 'cat', '/own'), 'x');

    const unknown = engine.gantry(['save', '-o', delta, '--since', 'nothing', 'delta:1']);
    assert.match(unknown.stderr, /^Error response from daemon: No such image: nothing:latest$/m);
  });

  test('docker save and load take a platform', () => {
    const archive = join(files, 'platform.tar');
    const newest = (...args: string[]) => engine.since(28, args);
    assert.equal(newest('save', '--platform', 'linux/amd64', '-o', archive, 'delta:1').code, 0);
    const { stdout } = newest('load', '--platform', 'linux/amd64', '-i', archive);
    assert.match(stdout, /^Loaded image: delta:1$/m);
    const wrong = newest('load', '--platform', 'linux/arm64', '-i', archive);
    assert.match(
      wrong.stderr,
      /does not provide the specified platform \(linux\/arm64\): it has linux\/amd64$/m,
    );
    const save = newest('save', '--platform', 'linux/s390x', '-o', archive, 'delta:1');
    assert.match(
      save.stderr,
      /delta:1 was found but its platform .* does not match the specified platform \(linux\/s390x\)/,
    );
  });

  test('import takes a file, standard input and a URL', async () => {
    const tar = join(files, 'rootfs.tar');
    writeFileSync(tar, busyboxTar());
    const server = createServer((request, response) => {
      if (request.url === '/rootfs.tar') createReadStream(tar).pipe(response);
      else response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const url = `http://${host}/rootfs.tar`;
    try {
      for (const [name, source] of [
        ['file', tar],
        ['url', url],
      ] as const) {
        for (const program of ['docker', join(import.meta.dirname, '../../bin/gantry')]) {
          const env = { ...process.env, DOCKER_HOST: engine.host, GANTRY_HOST: engine.host };
          // The server is in this process, which must not wait for its client.
          await promisify(execFile)(program, ['import', source, `imported:${name}`], { env });
          const comment = docker('history', '--format', '{{.Comment}}', `imported:${name}`);
          assert.equal(comment, name === 'file' ? 'Imported from -' : `Imported from ${source}`);
          assert.equal(docker('run', '--rm', `imported:${name}`, 'echo', 'works'), 'works');
        }
      }
      const importing = promisify(execFile)('docker', [
        '-H',
        engine.host,
        'import',
        `http://${host}/none`,
        'x:1',
      ]);
      await assert.rejects(importing, /failed to GET http:\/\/\S+\/none with status 404/);
    } finally {
      server.close();
    }
    assert.match(engine.docker(['import', url, 'x:1']).stderr, /ECONNREFUSED/);
    assert.equal(docker('images', '-q', 'x'), '');
  });
});

interface Plan {
  readonly ID: string;
  readonly TotalBytes: number;
  readonly Items: readonly { Kind: string; ID: string; Names: string[]; Bytes: number; Reason: string }[];
}

describe('prune by a plan', () => {
  const json = <T>(...args: string[]) => JSON.parse(gantry(...args, '--format', 'json')) as T;
  const named = (plan: Plan) => plan.Items.map(({ Kind, Names }) => `${Kind} ${Names[0] ?? ''}`);

  test('lists exactly what goes, and applying it frees what it said', () => {
    const dockerfile = 'FROM base:1 AS make\nCOPY big /big\nFROM base:1\nCOPY --from=make /big /copied\n';
    docker('build', '-q', '-t', 'plan:1', contextOf('plan', { Dockerfile: dockerfile, big: kilobytes(50) }));
    docker(
      'run',
      '--name',
      'plan-stopped',
      '-v',
      '/anonymous',
      'plan:1',
      'sh',
      '-c',
      'echo 1234567 >/anonymous/file',
    );
    docker('network', 'create', 'plan-net');
    docker('volume', 'create', 'plan-named');

    const filter = ['--filter', 'label!=keep'];
    const table = gantry('prune', '--plan', '--volumes', ...filter);
    assert.match(table, /^KIND +ID +NAME +SIZE +WHY$/m);
    assert.match(table, /^container +[0-9a-f]{12} +plan-stopped +0B +it does not run: Exited \(0\)/m);
    assert.match(table, /^network +[0-9a-f]{12} +plan-net +0B +no container is connected to it$/m);
    assert.match(table, /^volume +\S+ +8B +an anonymous volume no container refers to$/m);
    assert.match(
      table,
      /^build-cache +[0-9a-f]{12} +\S.*COPY.* 10\d(\.\d)?kB +only the build cache keeps it$/m,
    );
    assert.doesNotMatch(table, /plan:1 |plan-named|base:1 /);
    assert.equal(docker('ps', '-aq', '--filter', 'name=plan-stopped').length, 12, 'a plan removes nothing');

    const plan = json<Plan>('prune', '--plan', '--all', '--only', 'container,image');
    assert.ok(named(plan).includes('container plan-stopped') && named(plan).includes('image plan:1'));
    const image = plan.Items.find(({ Names }) => Names[0] === 'plan:1');
    assert.ok((image?.Bytes ?? 0) >= 100_000, 'its tree and its blob');

    const id = /gantry prune --apply ([0-9a-f]+)/.exec(table)?.[1] ?? '';
    const outcome = gantry('prune', '--apply', id);
    assert.match(outcome, /^removed container plan-stopped$/m);
    assert.match(outcome, /^removed network plan-net$/m);
    const planned = / objects, (\S+)\. Apply/.exec(table)?.[1] ?? '';
    assert.ok(outcome.endsWith(`Total reclaimed space: ${planned}`), `${outcome} instead of ${planned}`);
    assert.doesNotMatch(outcome, /^left/m);
    docker('volume', 'inspect', 'plan-named');
    docker('image', 'inspect', 'plan:1');
    assert.equal(docker('volume', 'ls', '-q'), 'plan-named');
    assert.match(
      engine.gantry(['prune', '--apply', id]).stderr,
      new RegExp(`No such prune plan: ${id}$`, 'm'),
    );
  });

  test('what came into use since is left, and said', () => {
    docker('create', '--name', 'plan-restarted', 'base:1', 'sleep', '1000');
    docker('network', 'create', 'plan-used');
    docker('volume', 'create', 'plan-mounted');
    docker('tag', 'plan:1', 'plan:2');
    docker(
      'build',
      '-q',
      '-t',
      'plan:alone',
      contextOf('alone', { Dockerfile: 'FROM base:1\nLABEL alone=1\n' }),
    );
    const file = join(files, 'plan.json');
    writeFileSync(file, gantry('prune', '--plan', '--all', '--named-volumes', '--format', 'json'));

    docker('start', 'plan-restarted');
    docker('stop', '-t', '0', 'plan-restarted');
    docker('run', '--rm', '--network', 'plan-used', '-v', 'plan-mounted:/m', 'base:1', 'true');
    docker('tag', 'plan:1', 'plan:3');
    const outcome = gantry('prune', '--apply', file);
    assert.match(outcome, /^left container plan-restarted: it was started since$/m);
    assert.match(outcome, /^left network plan-used: a container was on it since$/m);
    assert.match(outcome, /^left volume plan-mounted: a container mounted it since$/m);
    assert.match(outcome, /^left image plan:1, plan:2: its names are others now: plan:1, plan:2, plan:3$/m);
    assert.match(outcome, /^removed volume plan-named$/m);
    assert.match(outcome, /^removed image plan:alone$/m);
    assert.ok(docker('images', '--format', '{{.Repository}}:{{.Tag}}').includes('base:1'));
    docker('rm', 'plan-restarted');
    docker('network', 'rm', 'plan-used');
    docker('volume', 'rm', 'plan-mounted');
  });

  test('without a plan it shows one, asks, and refuses what it cannot read', () => {
    docker('create', '--name', 'plan-asked', 'base:1', 'sleep', '1');
    const asked = engine.gantry(['prune', '--only', 'container'], { input: 'n\n' });
    assert.equal(asked.code, 0);
    assert.match(asked.stdout, /plan-asked[^]*This will remove 1 object, 0B\.\nAre you sure/);
    docker('container', 'inspect', 'plan-asked');
    assert.match(gantry('prune', '-f', '--only', 'container'), /^removed container plan-asked$/m);
    const complaints: readonly (readonly [string[], RegExp])[] = [
      [['--plan', '--only', 'moons'], /unknown object type: moons/],
      [['--plan', '--filter', 'colour=red'], /invalid filter 'colour'/],
      [
        ['--plan', '--volumes', '--filter', 'until=1h'],
        /The "until" filter is not supported with "--volumes"/,
      ],
      [['--plan', '--filter', 'until=soon'], /invalid filter 'until=\[soon\]'/],
      [['--apply', 'abcdef'], /No such prune plan: abcdef/],
      [['--apply', join(files, 'plan', 'Dockerfile')], /holds no plan: it is not JSON/],
      [['--apply', './none.json'], /cannot read the plan/],
    ];
    for (const [args, message] of complaints) {
      const result = engine.gantry(['prune', ...args]);
      assert.equal(result.code, 1, args.join(' '));
      assert.match(result.stderr, message);
    }
    writeFileSync(join(files, 'bad.json'), '{"ID":"x"}');
    assert.match(engine.gantry(['prune', '--apply', join(files, 'bad.json')]).stderr, /invalid prune plan/);
  });
});

describe('store check', () => {
  const snapshots = () =>
    globSync(join(engine.root, 'snapshots/*/fs/mark')).map((path) => ({
      path,
      text: readFileSync(path, 'utf8'),
    }));

  test('finds a store whole after all of this, also one that builds and deletes in odd ways', () => {
    const steps = [
      'FROM base:1',
      'COPY mark /mark',
      'RUN mkdir -p /d/e && echo 1 >/d/e/f && ln /d/e/f /d/g && ln -s nowhere /d/l && mkfifo /d/p && chmod 4711 /d/g',
      'RUN rm -r /d/e && mkdir /d/e && echo 2 >/d/e/h && chown 7:8 /d/e/h && rm /etc/passwd',
      'RUN dd if=/dev/zero of=/sparse bs=1 count=1 seek=40000000 2>/dev/null && nc -l -U /socket & sleep 0.2',
    ];
    docker(
      'build',
      '-q',
      '-t',
      'odd:1',
      contextOf('odd', { Dockerfile: `${steps.join('\n')}\n`, mark: 'whole' }),
    );
    const checked = gantry('store', 'check');
    assert.match(checked, /^\d+ objects checked, 0 problems mended, 0 remaining$/);
    assert.equal(gantry('store', 'check', '-q', '--repair'), '');
  });

  test('says what is damaged with exit code 1, mends it, and says so', () => {
    const [layer] = snapshots();
    assert.ok(layer?.text === 'whole');
    writeFileSync(layer.path, 'other');
    const found = engine.gantry(['store', 'check']);
    assert.equal(found.code, 1);
    assert.match(
      found.stdout,
      /^PROBLEM: layer sha256:[0-9a-f]{64} is not as its blob says: \/mark has other content$/m,
    );
    assert.match(found.stdout, /0 problems mended, 1 remaining$/m);

    for (const use of [['odd:1'], ['--mount', 'type=image,src=odd:1,dst=/odd', 'base:1']]) {
      engine.since(28, ['run', '-d', '--name', 'stands-on-it', ...use, 'sleep', '1000']);
      const busy = engine.gantry(['store', 'check', '--repair']);
      assert.equal(busy.code, 1);
      assert.match(busy.stdout, /\(layer sha256:[0-9a-f]{64} is in use by container [0-9a-f]{12}\)$/m);
      docker('rm', '-f', 'stands-on-it');
    }
    assert.match(gantry('store', 'check', '--repair'), /^mended: layer [^]*1 problems mended, 0 remaining$/m);
    assert.equal(docker('run', '--rm', 'odd:1', 'cat', '/mark'), 'whole');
    const messages = gantry('store', 'check', '--format', 'json')
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    assert.deepEqual(Object.keys(messages.at(-1) ?? {}), ['Summary']);
  });

  test('can be cut short, and begun again at once', async () => {
    const socketPath = engine.host.slice('unix://'.length);
    const first = request({ socketPath, path: '/gantry/store/check', method: 'POST' }).end();
    const [response] = (await once(first, 'response')) as [IncomingMessage];
    response.on('error', () => undefined);
    first.destroy();
    // The engine hears of it a moment later.
    for (let tries = 0; engine.gantry(['store', 'check', '-q']).code !== 0; tries += 1) assert.ok(tries < 50);
  });

  test('its command is completed', () => {
    assert.equal(gantry('__complete', 'store', ''), 'check');
    assert.match(gantry('__complete', 'prune', '--'), /^--plan$/m);
    assert.match(gantry('__complete', 'image', 'diff', 'odd'), /^odd:1$/m);
  });
});

/** A docker archive of that many images on one layer. */
function archiveOf(count: number): Buffer {
  const layer = tarOf({ file: 'content' });
  const numbers = Array.from({ length: count }, (_, number) => number);
  const configs = numbers.map((number): [string, string] => [
    `${number}.json`,
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: { number: String(number) } },
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    }),
  ]);
  const manifest = numbers.map((number) => ({
    Config: `${number}.json`,
    RepoTags: [`many:${number}`],
    Layers: ['layer.tar'],
  }));
  return tarOf({
    'manifest.json': JSON.stringify(manifest),
    ...Object.fromEntries(configs),
    'layer.tar': layer,
  });
}
