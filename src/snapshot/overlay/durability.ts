import { existsSync, readFileSync } from 'node:fs';
import { syncFileSystem } from '../../lib/file-calls.ts';
import type { Metadata } from '../../metadata/index.ts';
import type { SnapshotTable } from './table.ts';

/** Layers committed within this time share one sync. */
const gatherMs = 200;

/** Changes with every boot of the machine: what was only in memory is gone then. */
export function currentBoot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

export interface DurabilityOptions {
  /** A directory on the file system to sync. */
  readonly root: string;
  readonly metadata: Metadata;
  readonly table: SnapshotTable;
  /** This boot's id; trees of an earlier one are past saving. */
  readonly boot: string;
}

/**
 * Brings committed trees to the disk behind the caller's back: waiting for it would double the time of a build or
 * load. Until then their rows carry the boot's id, and a start after a power loss drops them.
 */
export class Durability implements AsyncDisposable {
  readonly #options: DurabilityOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: DurabilityOptions) {
    this.#options = options;
  }

  /** To be called after a tree was committed. */
  later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A sync that failed leaves the rows as they are, which is safe; the next one tries again.
      this.#running = this.#running.then(() => this.#sync()).catch(() => undefined);
    }, gatherMs).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
    // Not left for the next start: the machine may be about to reboot, cleanly.
    await this.#sync();
  }

  async #sync(): Promise<void> {
    const { root, metadata, table, boot } = this.#options;
    // A root that was deleted whole, or closed before, has nothing to keep.
    if (!metadata.db.isOpen || !existsSync(root)) return;
    const names = table.unsynced().flatMap((row) => (row.unsynced_boot === boot ? [row.name] : []));
    if (names.length === 0) return;
    await syncFileSystem(root);
    if (!metadata.db.isOpen) return;
    metadata.transact(() => {
      for (const name of names) table.markSynced(name);
    });
  }
}
