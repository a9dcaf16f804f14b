import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../errors/index.ts';
import { run } from '../../lib/run.ts';

/** Removals that come in a burst (`docker rm $(...)`) share one `rm`. */
const gatherMs = 250;

/** Takes trees out of sight at once and deletes them in the background; disposing waits for the last. */
export class Trash implements AsyncDisposable {
  readonly #directory: string;
  readonly #holds = new Map<string, { count: number; discarded: boolean }>();
  #pending: string[] = [];
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown;

  /** What an earlier process left in `directory` goes too. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#pending = readdirSync(directory);
    if (this.#pending.length > 0) this.#later();
  }

  /** Until it is disposed, `path` stays where it is; discarded meanwhile, it goes then. */
  hold(path: string): Disposable {
    const hold = this.#holds.get(path) ?? { count: 0, discarded: false };
    this.#holds.set(path, hold);
    hold.count += 1;
    let open = true;
    return {
      [Symbol.dispose]: () => {
        if (!open) return;
        open = false;
        hold.count -= 1;
        if (hold.count > 0) return;
        this.#holds.delete(path);
        if (hold.discarded) this.discard(path);
      },
    };
  }

  /** Whether the path goes once nobody holds it any more. */
  isLeaving(path: string): boolean {
    return this.#holds.get(path)?.discarded === true;
  }

  /** Nothing to do for a path that is not there. */
  discard(path: string): void {
    const hold = this.#holds.get(path);
    if (hold !== undefined) {
      hold.discarded = true;
      return;
    }
    const name = randomBytes(8).toString('hex');
    try {
      renameSync(path, join(this.#directory, name));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return;
      throw error;
    }
    this.#pending.push(name);
    this.#later();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#empty();
    await this.#running;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure as Error;
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#empty();
    }, gatherMs).unref();
  }

  #empty(): void {
    const names = this.#pending;
    if (names.length === 0) return;
    this.#pending = [];
    this.#running = this.#running.then(async () => {
      try {
        for (let at = 0; at < names.length; at += 500) {
          const paths = names.slice(at, at + 500).map((name) => join(this.#directory, name));
          await run('rm', ['-rf', '--', ...paths]);
        }
      } catch (error) {
        // The trees are out of use; what is left is deleted at the next start.
        this.#failure = error;
      }
    });
  }
}
