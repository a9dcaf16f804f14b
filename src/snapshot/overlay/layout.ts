import { randomBytes } from 'node:crypto';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../errors/index.ts';
import { separateTrees } from '../../lib/file-calls.ts';

/** Names in ROOT/snapshots; every other entry is the directory of a snapshot. */
export const reserved = ['l', 'init', 'views', 'trash', 'empty'] as const;

/** Where things lie under ROOT/snapshots. */
export interface Layout {
  readonly root: string;
  /** Short links to committed trees, `../ID/fs`. */
  readonly links: string;
  /** Init layers by the chainID of their parent. */
  readonly init: string;
  readonly views: string;
  readonly trash: string;
  /** An empty directory: overlayfs wants two layers below a read-only mount. */
  readonly empty: string;
  directory(id: string): string;
  fs(id: string): string;
  upper(id: string): string;
  work(id: string): string;
  merged(id: string): string;
  /** Directories that this process has made. */
  readonly made: ReadonlySet<string>;
  /** Makes a new, empty snapshot directory and returns its id. */
  create(): string;
  /** Makes the short link of a committed tree. */
  link(id: string): void;
}

export function openLayout(root: string): Layout {
  for (const name of reserved) mkdirSync(join(root, name), { recursive: true, mode: 0o700 });
  // ext4 never gives out an inode that was deleted minutes ago, and looks past each one again for every new file: of
  // trees side by side, one deleted makes the next one up to ten times as slow to write.
  separateTrees(root);
  const made = new Set<string>();
  const directory = (id: string) => join(root, id);
  return {
    root,
    links: join(root, 'l'),
    init: join(root, 'init'),
    views: join(root, 'views'),
    trash: join(root, 'trash'),
    empty: join(root, 'empty'),
    directory,
    made,
    fs: (id) => join(root, id, 'fs'),
    upper: (id) => join(root, id, 'upper'),
    work: (id) => join(root, id, 'work'),
    merged: (id) => join(root, id, 'merged'),
    create: () => {
      for (;;) {
        const id = randomBytes(4).toString('hex');
        try {
          mkdirSync(directory(id), { mode: 0o710 });
          made.add(id);
          return id;
        } catch (error) {
          if (!hasErrno(error, 'EEXIST')) throw error;
        }
      }
    },
    link: (id) => {
      try {
        symlinkSync(`../${id}/fs`, join(root, 'l', id));
      } catch (error) {
        if (!hasErrno(error, 'EEXIST')) throw error;
      }
    },
  };
}
