import { raceAbort } from '../../lib/keyed-lock.ts';
import type { LogQuery } from '../oci-runtime.ts';
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
  const { ended } = query.follow;
  using changes = new Changes(path, ended);
  const chain = await openChain(path);
  let log = chain.current;
  /** The newest part of which all that was there is read. */
  let read = log === undefined ? chain.number - 1 : chain.number;
  try {
    yield* before(chain, path, query);
    for (;;) {
      signal?.throwIfAborted();
      // Looked at before reading: whatever was written up to the end is then read.
      const last = ended.aborted;
      const replaced: boolean = log === undefined || (await log.isReplaced());
      for (let block = await log?.next(); block !== undefined; block = await log?.next()) {
        yield block;
        signal?.throwIfAborted();
      }
      if (replaced) {
        const next: Chain = await openChain(path);
        const old: LogFile | undefined = log;
        log = next.current;
        await old?.[Symbol.asyncDispose]();
        for (const number of next.rotated) {
          if (number <= read) continue;
          yield* rotatedBlocks(path, number, query);
          read = number;
        }
        if (log !== undefined) {
          read = next.number;
          continue;
        }
      }
      if (last) return;
      await raceAbort(changes.next(), signal);
    }
  } finally {
    await log?.[Symbol.asyncDispose]();
  }
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
