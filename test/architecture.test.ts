import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import test from 'node:test';

const source = join(import.meta.dirname, '../src');

/** A folder imports only folders before it in this list. */
const order = [
  'errors',
  'oci',
  'api',
  'lib',
  'config',
  'metadata',
  'content',
  'snapshot',
  'registry',
  'image',
  'runtime',
  'network',
  'volume',
  'build',
  'container',
  'engine',
  'http',
  'client',
  'cli',
];

/** Folders whose imports are narrower than the order allows. */
const only: Readonly<Record<string, readonly string[]>> = {
  client: ['errors', 'oci', 'api', 'lib', 'config'],
  cli: ['errors', 'oci', 'api', 'lib', 'config', 'client'],
};

/** Files that belong to no one subsystem: where the processes of the daemon and of the registry are composed. */
const edges: Readonly<Record<string, readonly string[]>> = {
  'cli/daemon.ts': ['http'],
  'cli/registry.ts': ['registry'],
};

interface Import {
  readonly file: string;
  readonly folder: string;
  readonly target: string;
  readonly targetFolder: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(source, file), 'utf8');
  const found = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)];
  return found.map(([, path = '']) => {
    const target = relative(source, join(source, dirname(file), path));
    return { file, folder: folderOf(file), target, targetFolder: folderOf(target) };
  });
}

function folderOf(file: string): string {
  return file.split('/')[0] ?? '';
}

// Tests stand beside the source and may use what test/ offers them.
const files = globSync('**/*.ts', { cwd: source }).filter(
  (file) => file.includes('/') && !file.endsWith('.test.ts'),
);
const crossing = files.flatMap(importsOf).filter((i) => i.folder !== i.targetFolder);

test('every folder of src/ has its place in the import order', () => {
  assert.deepEqual(
    [...new Set(files.map(folderOf))].filter((folder) => !order.includes(folder)),
    [],
  );
});

test('a folder imports only folders above it', () => {
  const wrong = crossing.filter(({ file, folder, targetFolder }) => {
    if (edges[file]?.includes(targetFolder)) return false;
    const allowed = only[folder] ?? order.slice(0, order.indexOf(folder));
    return !allowed.includes(targetFolder);
  });
  assert.deepEqual(
    wrong.map(({ file, target }) => `${file} imports ${target}`),
    [],
  );
});

test('another folder is imported through its index.ts (lib has one file per helper)', () => {
  const wrong = crossing.filter(({ file, target, targetFolder }) => {
    if (targetFolder === 'lib' || edges[file] !== undefined) return false;
    return target !== `${targetFolder}/index.ts`;
  });
  assert.deepEqual(
    wrong.map(({ file, target }) => `${file} imports ${target}`),
    [],
  );
});

test('no product file imports a test', () => {
  const wrong = files
    .flatMap(importsOf)
    .filter(({ target }) => target.endsWith('.test.ts') || target.startsWith('../test'));
  assert.deepEqual(wrong, []);
});

test('no file has O_TMPFILE as the number that it is on one processor alone', () => {
  const wrong = files.filter((file) => /0o20(?:200|040)000/.test(readFileSync(join(source, file), 'utf8')));
  assert.deepEqual(wrong, []);
});

test('node:http is imported for its types alone, as an import of its values loads undici too', () => {
  const wrong = files.filter((file) => {
    const text = readFileSync(join(source, file), 'utf8');
    return [...text.matchAll(/^import (?!type\b)[^;]*? from 'node:http';$/gm)].length > 0;
  });
  assert.deepEqual(wrong, []);
});
