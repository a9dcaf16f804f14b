import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `docker load` archives made beside any engine: the base image alone, and two with a layer of their own on it. */
export function imageArchives(
  directory: string,
  base: Buffer,
): { readonly base: Buffer; readonly loadable: readonly Buffer[] } {
  return {
    base: archiveOf(directory, 'base:1', [base]),
    loadable: [0, 1].map((index) => archiveOf(directory, `loaded:${index}`, [base, layer(directory, index)])),
  };
}

function layer(directory: string, index: number): Buffer {
  const root = join(directory, `layer-${index}`);
  mkdirSync(join(root, `loaded-${index}`), { recursive: true });
  writeFileSync(join(root, `loaded-${index}/file`), String(index).repeat(300_000));
  return tarOf(root);
}

function archiveOf(directory: string, name: string, layers: readonly Buffer[]): Buffer {
  const root = join(directory, `archive-${name.replace(':', '-')}`);
  mkdirSync(root);
  const files = layers.map((_, index) => `layer-${index}.tar`);
  for (const [index, bytes] of layers.entries()) writeFileSync(join(root, `layer-${index}.tar`), bytes);
  const diffIds = layers.map((bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
  writeFileSync(join(root, 'config.json'), JSON.stringify(config));
  const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: files }];
  writeFileSync(join(root, 'manifest.json'), JSON.stringify(manifest));
  return tarOf(root);
}

function tarOf(directory: string): Buffer {
  const archive = `${directory}.tar`;
  execFileSync('tar', [
    '-c',
    '-f',
    archive,
    '-C',
    directory,
    '--sort=name',
    '--mtime=@0',
    '--numeric-owner',
    '.',
  ]);
  return readFileSync(archive);
}
