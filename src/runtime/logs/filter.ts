import type { LogQuery } from '../oci-runtime.ts';
import { flagOffset, letterE, letterP, space, streamOffset, timeBytes, timeText } from './format.ts';

/** Which records of a block a query wants. */
export class Filter {
  /** Set once a record later than the query's end was seen. */
  finished = false;
  readonly #stdout: boolean;
  readonly #stderr: boolean;
  readonly #since: Buffer | undefined;
  readonly #until: Buffer | undefined;

  constructor(query: LogQuery) {
    this.#stdout = query.stdout;
    this.#stderr = query.stderr;
    this.#since = limit(query.sinceNano);
    this.#until = limit(query.untilNano);
  }

  /** Whether the record that starts at `start` is wanted. */
  wants(block: Buffer, start: number): boolean {
    if (this.#until !== undefined && compareTime(block, start, this.#until) > 0) {
      this.finished = true;
      return false;
    }
    if (this.#since !== undefined && compareTime(block, start, this.#since) < 0) return false;
    return isStderr(block, start) ? this.#stderr : this.#stdout;
  }
}

/** False for what a crash or a full disk left of a record: readers pass over it. */
export function isRecord(block: Buffer, start: number): boolean {
  return (
    block[start + streamOffset - 4] === space &&
    block[start + flagOffset - 1] === space &&
    block[start + flagOffset + 1] === space
  );
}

export function isStderr(block: Buffer, start: number): boolean {
  return block[start + streamOffset] === letterE;
}

export function isPartial(block: Buffer, start: number): boolean {
  return block[start + flagOffset] === letterP;
}

function limit(nano: bigint | undefined): Buffer | undefined {
  return nano === undefined ? undefined : Buffer.from(timeText(nano));
}

function compareTime(block: Buffer, start: number, time: Buffer): number {
  return block.compare(time, 0, timeBytes, start, start + timeBytes);
}
