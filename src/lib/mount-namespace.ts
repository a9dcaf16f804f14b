import { once } from 'node:events';
import { ignoreClosed } from './ignore-closed.ts';
import { failure } from './process.ts';
import { run } from './run.ts';
import { type FastChild, spawnFast } from './spawn-fast.ts';

export interface Bind {
  readonly source: string;
  /** As the namespace sees it. */
  readonly target: string;
  readonly readOnly: boolean;
  /** With what is mounted below the source. */
  readonly recursive: boolean;
}

/**
 * A copy of our mount namespace in which more can be mounted, seen by nobody else. A process holds it, which ends with
 * this one however that ends, so nothing is left to clean up. Disposing it ends it.
 */
export class MountNamespace implements AsyncDisposable {
  readonly #holder: FastChild;

  private constructor(holder: FastChild) {
    this.#holder = holder;
  }

  /** Rejects with `unavailable` and the package's name where unshare is missing, `internal` if it fails. */
  static async open(): Promise<MountNamespace> {
    const args = ['--mount', '--propagation', 'private', '--', 'cat'];
    const holder = spawnFast('unshare', args, { stdio: ['read', 'write', 'write'] });
    const namespace = new MountNamespace(holder);
    const [stdin, stdout, stderr] = holder.stdio;
    stdin?.on('error', ignoreClosed);
    // cat repeats this once it is in the namespace.
    stdin?.write('.');
    let complaint = '';
    stderr?.on('data', (text: Buffer) => {
      complaint += text.toString();
    });
    const answered = stdout === undefined ? undefined : once(stdout, 'data').then(() => undefined);
    const code = await Promise.race([answered, holder.exited]);
    if (code === undefined) return namespace;
    for (const stream of holder.stdio) stream?.destroy();
    throw failure('unshare', args, code, complaint);
  }

  /** The host's root directory with what is mounted in the namespace. */
  get root(): string {
    return `/proc/${this.#holder.pid}/root`;
  }

  /** Rejects with `internal` and mount's own words. */
  async bind({ source, target, readOnly, recursive }: Bind): Promise<void> {
    const options = [recursive ? 'rbind' : 'bind', ...(readOnly ? ['ro'] : [])].join(',');
    await run('nsenter', [
      `--mount=/proc/${this.#holder.pid}/ns/mnt`,
      '--',
      ...['mount', '--no-canonicalize', '-o', options, '--', source, target],
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const [stdin, ...outputs] = this.#holder.stdio;
    stdin?.end();
    await this.#holder.exited;
    for (const output of outputs) output?.destroy();
  }
}
