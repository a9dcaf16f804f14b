import { existsSync, type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { hadOomKill } from './cgroup.ts';
import { monitorFiles } from './layout.ts';
import type { ContainerState } from './state.ts';

/** Where it shows that the kernel has killed for memory. */
export interface OomSign {
  /** A file or directory that changes then, among other times. */
  readonly path: string;
  readonly shows: () => boolean;
}

/**
 * On cgroup v1 what the monitor notes in its directory. On v2 the kernel's own file, for conmon (2.1.6) listens to it no
 * more after a change that was no kill yet, which reaching the limit is.
 */
export function oomSign(monitorDirectory: string, state: ContainerState | undefined): OomSign {
  const { memory, '': unified } = state?.cgroupPaths ?? {};
  if (state !== undefined && memory === undefined && unified !== undefined)
    return { path: join(unified, 'memory.events'), shows: () => hadOomKill(state) };
  const note = join(monitorDirectory, monitorFiles.oom);
  return { path: monitorDirectory, shows: () => existsSync(note) };
}

/** Tells once that the sign shows: at once, also if it did before. All watches of the process share one inotify instance. */
export class OomWatch implements Disposable {
  readonly #told: () => void;
  #watcher: FSWatcher | undefined;
  #closed = false;

  constructor(sign: Promise<OomSign>, told: () => void) {
    this.#told = told;
    void this.#watch(sign);
  }

  async #watch(sign: Promise<OomSign>): Promise<void> {
    try {
      const { path, shows } = await sign;
      if (this.#closed) return;
      this.#watcher = watch(path, () => {
        this.#look(shows);
      });
      this.#watcher.on('error', () => {
        this[Symbol.dispose]();
      });
      this.#look(shows);
    } catch {
      // The container has just been removed, or the kernel gives no more watches: the exit will tell.
    }
  }

  #look(shows: OomSign['shows']): void {
    if (this.#closed || !showsNow(shows)) return;
    this[Symbol.dispose]();
    this.#told();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}

function showsNow(shows: OomSign['shows']): boolean {
  try {
    return shows();
  } catch {
    // The next change tells, or the exit.
    return false;
  }
}
