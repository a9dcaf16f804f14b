/**
 * Measures how an image of 130 MB (20,004 files) moves, each way turn by turn:
 *
 *     node bench/images.ts --engine NAME=unix:///SOCKET … --registry 127.0.0.1:PORT [--runs 3]
 *     node bench/images.ts --registry 127.0.0.1:PORT --registry 127.0.0.1:PORT [--runs 3]
 *
 * The first form drives each engine with the docker CLI: the first push of a layer made there, and a pull into a store
 * that lacks it. The second has skopeo copy the image to each registry and back. Medians in milliseconds.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', multiple: true, default: [] },
    registry: { type: 'string', multiple: true, default: [] },
    runs: { type: 'string', default: '3' },
  },
});
const [registry = ''] = values.registry;
const runs = Number(values.runs);
const nonce = randomBytes(4).toString('hex');
const directory = mkdtempSync(join(tmpdir(), 'bench-images-'));
const times = new Map<string, number[]>();

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'], maxBuffer: 1 << 28 });
}

function timed(name: string, work: () => void): void {
  const start = performance.now();
  work();
  times.set(name, [...(times.get(name) ?? []), performance.now() - start]);
}

/** Small files that repeat themselves and four large ones that hardly do, as applications have them. */
function makeContext(): string {
  const context = join(directory, 'context');
  let seed = 1;
  const random = () => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff);
  for (let d = 0; d < 200; d += 1) {
    mkdirSync(join(context, 'app', `d${d}`), { recursive: true });
    for (let f = 0; f < 100; f += 1) {
      const text = `module.exports=${random()};\n`.repeat(20 + (random() % 120));
      writeFileSync(join(context, 'app', `d${d}`, `f${f}.js`), text);
    }
  }
  for (let i = 0; i < 4; i += 1) {
    const bytes = Buffer.alloc(16 << 20);
    for (let at = 0; at < bytes.length; at += 8) bytes.writeUInt32LE(random(), at);
    writeFileSync(join(context, 'app', `blob${i}.bin`), bytes);
  }
  const dockerfile =
    'FROM bench/base:1\nARG NONCE\nRUN echo $NONCE >/nonce\nCOPY app /app\nCOPY nonce /app/nonce\n';
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  return context;
}

function makeBase(): string {
  const [root, tar] = [join(directory, 'base'), join(directory, 'base.tar')];
  mkdirSync(join(root, 'bin'), { recursive: true });
  run('cp', ['/bin/busybox', join(root, 'bin/sh')]);
  run('tar', ['-C', root, '-cf', tar, '.']);
  return tar;
}

function measureEngines(): void {
  const [context, base] = [makeContext(), makeBase()];
  const engines = values.engine.map((engine) => {
    const [name = '', ...host] = engine.split('=');
    return { name, docker: (...args: string[]) => run('docker', ['-H', host.join('='), ...args]) };
  });
  for (const { docker } of engines) docker('import', base, 'bench/base:1');
  for (let round = 0; round < runs; round += 1) {
    for (const { name, docker } of engines) {
      const reference = `${registry}/bench/${nonce}-${name}:${round}`;
      // A new layer each time: a file differs.
      writeFileSync(join(context, 'app/nonce'), reference);
      writeFileSync(join(context, 'nonce'), reference);
      docker('build', '-q', '--build-arg', `NONCE=${reference}`, '-t', reference, context);
      timed(`push ${name}`, () => docker('push', '-q', reference));
      docker('rmi', reference);
      docker('builder', 'prune', '-af');
      docker('image', 'prune', '-f');
      timed(`pull ${name}`, () => docker('pull', '-q', reference));
      docker('rmi', reference);
    }
  }
  for (const { docker } of engines) docker('rmi', 'bench/base:1');
}

function measureRegistries(): void {
  const context = makeContext();
  const tar = join(directory, 'app.tar.gz');
  const image = join(directory, 'image');
  const back = join(directory, 'back');
  const copy = (...args: string[]) => run('skopeo', ['copy', '-q', '--insecure-policy', ...args]);
  for (let round = 0; round < runs; round += 1) {
    for (const [index, host] of values.registry.entries()) {
      const reference = `docker://${host}/bench/${nonce}:${round}`;
      // A layer that no registry has; skopeo makes an image of it.
      writeFileSync(join(context, 'app/nonce'), reference);
      run('tar', ['-C', context, '-czf', tar, 'app']);
      copy(`tarball:${tar}`, `dir:${image}`);
      timed(`push registry ${index + 1}`, () => copy('--dest-tls-verify=false', `dir:${image}`, reference));
      timed(`pull registry ${index + 1}`, () => copy('--src-tls-verify=false', reference, `dir:${back}`));
      for (const path of [tar, image, back]) rmSync(path, { recursive: true });
    }
  }
}

try {
  if (values.engine.length > 0) measureEngines();
  else measureRegistries();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
for (const [name, all] of times) {
  const sorted = all.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  process.stdout.write(`${name}: ${median.toFixed(0)} (${sorted.map((one) => one.toFixed(0)).join(' ')})\n`);
}
