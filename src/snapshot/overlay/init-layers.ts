import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../errors/index.ts';
import { KeyedLock } from '../../lib/keyed-lock.ts';
import type { ChainId } from '../../oci/index.ts';
import { fillInitLayer, initName } from './init-layer.ts';
import type { Layout } from './layout.ts';
import { makeRoot } from './make-root.ts';
import { withMounted } from './private-mounts.ts';

/** The init layers of this boot: for each layer that containers stand on one, made when it is first wanted. */
export class InitLayers {
  readonly #layout: Layout;
  readonly #boot: string;
  readonly #locks = new KeyedLock();

  constructor(layout: Layout, boot: string) {
    this.#layout = layout;
    this.#boot = boot;
  }

  directory(parent: ChainId | undefined): string {
    return join(this.#layout.init, initName(this.#boot, parent));
  }

  path(parent: ChainId | undefined): string {
    return join(this.directory(parent), 'fs');
  }

  /** The init layer over `parent`, whose directories are `lowers` (top first), made once. */
  async make(parent: ChainId | undefined, lowers: readonly string[]): Promise<string> {
    const path = this.path(parent);
    if (existsSync(path)) return path;
    using _held = await this.#locks.acquire(parent ?? '');
    if (existsSync(path)) return path;
    const draft = this.#layout.create();
    try {
      const top = lowers[0] === undefined ? undefined : this.#layout.fs(lowers[0]);
      makeRoot(this.#layout.upper(draft), top);
      const upper = { upper: this.#layout.upper(draft), work: this.#layout.work(draft) };
      await withMounted(this.#layout, { lowers, upper }, async (root) => {
        fillInitLayer(root);
      });
      mkdirSync(this.directory(parent), { recursive: true, mode: 0o700 });
      renameSync(this.#layout.upper(draft), path);
    } catch (error) {
      if (!hasErrno(error, 'ENOTEMPTY')) throw error;
    } finally {
      rmSync(this.#layout.directory(draft), { recursive: true, force: true });
    }
    return path;
  }
}
