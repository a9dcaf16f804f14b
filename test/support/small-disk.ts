import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { ok, runCommand } from './daemon.ts';

/** A small ext4 file system of its own, in a file of `directory`; unmounted when the process exits. */
export class SmallDisk {
  readonly mountPoint: string;
  readonly #file: string;

  constructor(directory: string, mebibytes: number) {
    const file = join(directory, 'disk');
    this.#file = file;
    this.mountPoint = join(directory, 'mounted');
    writeFileSync(file, '');
    truncateSync(file, mebibytes << 20);
    mkdirSync(this.mountPoint);
    ok('mkfs.ext4', '-q', '-m', '0', file);
    ok('mount', '-o', 'loop', file, this.mountPoint);
    // Before the files go, after the daemon.
    process.prependOnceListener('exit', () => {
      runCommand('umount', [this.mountPoint]);
    });
  }

  /** Mounts a copy as it is without what is in memory only: what a power cut now would leave. */
  afterPowerCut(): string {
    const copy = `${this.#file}-cut`;
    const mountPoint = `${this.mountPoint}-cut`;
    copyFileSync(this.#file, copy);
    mkdirSync(mountPoint);
    ok('mount', '-o', 'loop', copy, mountPoint);
    process.prependOnceListener('exit', () => {
      runCommand('umount', [mountPoint]);
    });
    return mountPoint;
  }

  usedKiB(): number {
    const { blocks, bfree, bsize } = statfsSync(this.mountPoint);
    return ((blocks - bfree) * bsize) / 1024;
  }

  /** Takes every block that is left. */
  fill(): void {
    const fd = openSync(this.#ballast, 'a');
    try {
      for (const bytes of [1 << 20, 4096, 1]) writeUntilFull(fd, Buffer.alloc(bytes));
    } finally {
      closeSync(fd);
    }
  }

  /** Gives back what `fill` took. */
  release(): void {
    rmSync(this.#ballast, { force: true });
  }

  /** Whoever changes anything on it waits, until disposed. */
  freeze(): Disposable {
    ok('fsfreeze', '--freeze', this.mountPoint);
    return {
      [Symbol.dispose]: () => {
        ok('fsfreeze', '--unfreeze', this.mountPoint);
      },
    };
  }

  get #ballast(): string {
    return join(this.mountPoint, 'ballast');
  }
}

function writeUntilFull(fd: number, data: Buffer): void {
  try {
    for (;;) writeSync(fd, data);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
}
