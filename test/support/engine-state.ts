import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { EngineConfig } from '../../src/config/index.ts';
import { namesIn, processes } from './proc.ts';

/** What an engine has in the kernel, by container id where there is one. */
export interface KernelState {
  readonly monitors: readonly string[];
  readonly mounts: number;
  readonly namespaces: readonly string[];
  readonly cgroups: readonly string[];
  readonly bridges: readonly string[];
}

export function readKernel(config: EngineConfig): KernelState {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return {
    monitors: monitorsOf(config.run),
    mounts: mounts.filter((line) => line.includes(` ${config.root}/snapshots/`) && / - overlay /.test(line))
      .length,
    namespaces: namesIn('/run/netns').filter((name) => name.startsWith(`gty-${config.instance}-`)),
    cgroups: cgroupsOf(config.cgroupParent),
    bridges: namesIn('/sys/class/net').filter((name) => name.startsWith(`gty${config.instance}`)),
  };
}

/** Container ids of the monitors that run, those of execs left out. */
function monitorsOf(run: string): string[] {
  return processes().flatMap(({ words }) => {
    if (!words[0]?.endsWith('conmon') || !words.some((word) => word.includes(run)) || words.includes('-e'))
      return [];
    return [words[words.indexOf('-c') + 1] ?? ''];
  });
}

function cgroupsOf(parent: string): string[] {
  const roots = ['/sys/fs/cgroup', ...namesIn('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`)];
  const names = roots.flatMap((root) =>
    namesIn(join(root, parent)).filter((name) => /^[0-9a-f]{64}$/.test(name)),
  );
  return [...new Set(names)];
}

/** What an engine has on its disk, read beside it. */
export interface DiskState {
  readonly containers: readonly string[];
  readonly active: readonly string[];
  readonly committed: readonly string[];
  /** Directories of snapshots without a row, and rows without a directory. */
  readonly strays: readonly string[];
  readonly volumeUsers: readonly string[];
  readonly leases: number;
  readonly problems: readonly string[];
  readonly temporary: readonly string[];
  /** Blobs that no image refers to. */
  readonly garbage: readonly string[];
}

export function readDisk({ root }: EngineConfig): DiskState {
  const db = new DatabaseSync(join(root, 'gantry.db'), { readOnly: true });
  try {
    const rows = db.prepare('SELECT name, kind, directory FROM snapshots').all();
    const known = new Set(rows.map((row) => String(row['directory'])));
    const reserved = ['l', 'init', 'views', 'trash', 'empty'];
    const named = (kind: string) =>
      rows.filter((row) => row['kind'] === kind).map((row) => String(row['name']));
    const directories = namesIn(join(root, 'snapshots')).filter((name) => !reserved.includes(name));
    const images = db.prepare('SELECT id, manifest_digest, layers FROM images').all();
    const used = new Set(
      images.flatMap((row) => [
        String(row['id']),
        String(row['manifest_digest']),
        ...(JSON.parse(String(row['layers'])) as { digest: string }[]).map(({ digest }) => digest),
      ]),
    );
    const blobs = namesIn(join(root, 'content/blobs/sha256')).map((hex) => `sha256:${hex}`);
    return {
      containers: namesIn(join(root, 'containers')),
      active: named('active'),
      committed: named('committed'),
      strays: [
        ...directories.filter((name) => !known.has(name)),
        ...[...known].filter((name) => !directories.includes(name)),
      ],
      volumeUsers: db
        .prepare('SELECT DISTINCT container_id FROM volume_users')
        .all()
        .map((row) => String(row['container_id'])),
      leases: Number(db.prepare('SELECT count(*) AS n FROM leases').get()?.['n']),
      problems: [
        ...db.prepare('PRAGMA foreign_key_check').all().map(String),
        ...[...used].filter((digest) => !blobs.includes(digest)).map((digest) => `${digest} is missing`),
      ],
      temporary: [...namesIn(join(root, 'build')), ...namesIn(join(root, 'content/ingest'))],
      garbage: blobs.filter((digest) => !used.has(digest)),
    };
  } finally {
    db.close();
  }
}
