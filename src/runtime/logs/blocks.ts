import { raceAbort } from '../../lib/keyed-lock.ts';
import type { LogPosition, LogQuery } from '../oci-runtime.ts';
import { type Chain, openChain, openRotated } from './chain.ts';
import { Changes } from './changes.ts';
import type { LogFile, LogPart } from './log-file.ts';
import { Tail } from './tail.ts';

/** The kernel stamps files with a clock that is some milliseconds behind that of the records. */
const clockSlackNano = 1_000_000_000n;

/**
 * A log, its rotated parts first, as blocks of whole records. Without `follow` it ends where the log ended at the
 * start; with it, it goes on through appends, truncation and rotation. A missing file is an empty one.
 */
export async function* readBlocks(
  path: string,
  query: LogQuery,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  signal?.throwIfAborted();
  const { follow } = query;
  if (follow !== undefined) {
    yield* followBlocks(path, { ...query, follow }, signal);
    return;
  }
  for await (const block of blocksSoFar(path, query)) {
    signal?.throwIfAborted();
    yield block;
  }
}

async function* blocksSoFar(path: string, query: LogQuery): AsyncGenerator<Buffer> {
  const chain = await openChain(path);
  await using log = chain.current;
  await log?.stopHere();
  yield* before(chain, path, query);
  if (log !== undefined) yield* blocksOf(log);
}

async function* followBlocks(
  path: string,
  query: LogQuery & { readonly follow: { readonly ended: AbortSignal } },
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const chain = await openChain(path);
  let handedOn = false;
  try {
    yield* before(chain, path, query);
    handedOn = true;
  } finally {
    if (!handedOn) await chain.current?.[Symbol.asyncDispose]();
  }
  const start = { part: chain.number, offset: chain.current?.position ?? 0 };
  const options = { ended: query.follow.ended, chain, ...(signal === undefined ? {} : { signal }) };
  for await (const { block } of blocksFrom(path, start, options)) yield block;
}

/** A block of whole records and where it begins. */
export interface PlacedBlock extends LogPosition {
  readonly block: Buffer;
}

export interface FromOptions {
  /** Aborted once no more is written. */
  readonly ended: AbortSignal;
  readonly signal?: AbortSignal;
  /** The parts as they were seen last; the generator closes `current`. */
  readonly chain?: Chain;
}

/**
 * A log from a place on, through appends, truncation and rotation, until all is read that was written before `ended`.
 * What is no longer there is passed over.
 */
export async function* blocksFrom(
  path: string,
  start: LogPosition,
  options: FromOptions,
): AsyncGenerator<PlacedBlock> {
  const { ended, signal } = options;
  using changes = new Changes(path, ended);
  let at = start;
  for (let seen = options.chain; ; seen = undefined) {
    signal?.throwIfAborted();
    const last = ended.aborted;
    const chain: Chain = seen ?? (await openChain(path));
    await using log = chain.current;
    for (const part of chain.rotated) {
      if (part < at.part) continue;
      await using rotated = await openRotated(path, part);
      if (rotated !== undefined) yield* placed(rotated, part, part === at.part ? at.offset : 0);
      signal?.throwIfAborted();
      at = { part: part + 1, offset: 0 };
    }
    if (log !== undefined) {
      const { number: part } = chain;
      yield* currentBlocks(log, part, { changes, ended, signal, offset: part === at.part ? at.offset : 0 });
      if (!(await log.isReplaced())) return;
      at = { part: part + 1, offset: 0 };
    } else if (last) {
      return;
    } else {
      await raceAbort(changes.next(), signal);
    }
  }
}

/** The part written to, until another takes its place or the end. */
async function* currentBlocks(
  log: LogFile,
  part: number,
  options: {
    readonly changes: Changes;
    readonly ended: AbortSignal;
    readonly signal: AbortSignal | undefined;
    readonly offset: number;
  },
): AsyncGenerator<PlacedBlock> {
  const { changes, ended, signal, offset } = options;
  for (let from = offset; ; from = 0) {
    // Looked at before reading: whatever was written up to the end is then read.
    const last = ended.aborted;
    const replaced = await log.isReplaced();
    for await (const block of placed(log, part, from)) {
      yield block;
      signal?.throwIfAborted();
    }
    if (replaced || last) return;
    await raceAbort(changes.next(), signal);
  }
}

async function* placed(log: LogPart, part: number, offset: number): AsyncGenerator<PlacedBlock> {
  log.seek(offset);
  for (let block = await log.next(); block !== undefined; block = await log.next())
    yield { part, offset: log.position - block.length, block };
}

/** What a query wants of the rotated parts; `current` is then where its reading begins. */
async function* before({ rotated, current }: Chain, path: string, query: LogQuery): AsyncGenerator<Buffer> {
  if (query.tail === undefined) {
    for (const number of rotated) yield* rotatedBlocks(path, number, query);
    return;
  }
  const tail = new Tail(query.tail);
  if (current !== undefined && (await current.seekTail(tail))) return;
  if (query.tail <= 0) return;
  let from = rotated.length;
  while (from > 0) {
    await using part = await openRotated(path, rotated[from - 1] ?? 0);
    // Dropped meanwhile, and with it all that is older.
    if (part === undefined) break;
    if (await part.seekTail(tail)) {
      yield* blocksOf(part);
      break;
    }
    from -= 1;
  }
  for (const number of rotated.slice(from)) yield* rotatedBlocks(path, number, query);
}

async function* rotatedBlocks(path: string, number: number, query: LogQuery): AsyncGenerator<Buffer> {
  await using part = await openRotated(path, number);
  if (part === undefined) return;
  const { sinceNano } = query;
  if (sinceNano !== undefined && (await part.modified()) + clockSlackNano < sinceNano) return;
  yield* blocksOf(part);
}

async function* blocksOf(part: LogPart): AsyncGenerator<Buffer> {
  for (let block = await part.next(); block !== undefined; block = await part.next()) yield block;
}
