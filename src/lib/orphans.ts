import { readdirSync } from 'node:fs';
import koffi from 'koffi';
import { readMemoryFile } from './memory-files.ts';
import { systemError } from './native.ts';
import { reapChild } from './reap-child.ts';

const libc = koffi.load('libc.so.6');
const prctlCall = libc.func('int prctl(int option, unsigned long value)');

const setChildSubreaper = 36;
const sweepMs = 1_000;

/** From here on this process is the parent of what its children leave behind when they end, and has to reap it. */
export function adoptOrphans(): void {
  if ((prctlCall(setChildSubreaper, 1) as number) !== 0) throw systemError('prctl', 'PR_SET_CHILD_SUBREAPER');
}

/**
 * Reaps adopted processes that nobody waits for: children found ended twice. Between two looks the event loop has
 * passed on all that the first could have seen, and whoever waits for a child has reaped it then.
 */
export class OrphanSweep implements Disposable {
  #timer: NodeJS.Timeout | undefined;
  /** By pid, the last expectation there had been when it was first seen ended. */
  #seen: ReadonlyMap<number, number> = new Map();
  #hurried = 0;
  #lastExpectation = 0;
  readonly #expectations = new Set<number>();
  /** Those met since the last look. */
  #met: number[] = [];

  /** Says that an orphan may have ended, or end soon. Costs nothing when a look is due already. */
  note(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, sweepMs).unref();
  }

  /** Looks again and again until the result is disposed of, for who waits for what an orphan is in the way of. */
  during(): Disposable {
    this.#hurried += 1;
    this.note();
    let open = true;
    return {
      [Symbol.dispose]: () => {
        if (open) this.#hurried -= 1;
        open = false;
        this.note();
      },
    };
  }

  /** Says that an orphan is coming whose pid is not known yet: what ends until the result is disposed of may be it. */
  expecting(): Disposable {
    this.#lastExpectation += 1;
    const expectation = this.#lastExpectation;
    this.#expectations.add(expectation);
    return {
      [Symbol.dispose]: () => {
        // Whoever knows it by now has yet to be told of its end.
        if (this.#expectations.delete(expectation)) this.#met.push(expectation);
      },
    };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const oldest = Math.min(Infinity, ...this.#expectations, ...this.#met);
    this.#met = [];
    const seen = new Map<number, number>();
    for (const pid of endedChildren()) {
      const last = this.#seen.get(pid);
      if (last !== undefined && last < oldest) reapChild(pid);
      else seen.set(pid, last ?? this.#lastExpectation);
    }
    this.#seen = seen;
    if (seen.size > 0 || this.#hurried > 0) this.note();
  }
}

function endedChildren(): number[] {
  return readdirSync('/proc/self/task')
    .flatMap((thread) => (readMemoryFile(`/proc/self/task/${thread}/children`) ?? '').split(' '))
    .filter((pid) => pid !== '' && / \(.*\) Z /s.test(readMemoryFile(`/proc/${pid}/stat`) ?? ''))
    .map(Number);
}
