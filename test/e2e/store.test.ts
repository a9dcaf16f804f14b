import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { digestOf } from '../../src/oci/index.ts';
import { startDaemon } from '../support/daemon.ts';
import { temporaryDirectory } from '../support/files.ts';
import { tarOf } from '../support/image-store.ts';

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
    const began = performance.now();
    const rows = docker('system', 'df', '--format', '{{.TotalCount}}').split('\n');
    const tookMs = performance.now() - began;
    assert.equal(rows[0], '101');
    assert.ok(tookMs < 3_000, `${tookMs} ms`);
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
