import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { isOpaque, isWhiteout } from '../overlay/changes.ts';
import type { Comparison, TreeChange } from '../snapshotter.ts';
import { treeUsage } from '../tree-usage.ts';
import { isSameEntry } from './same-entry.ts';

/** A directory to compare, that may be on one side only. */
interface Place {
  readonly path: Buffer;
  readonly before: boolean;
  readonly after: boolean;
  /** The layer has it too: only what stands there can have changed. */
  readonly layer: boolean;
  /** All in it is of the layer, since the layer hides what was below. */
  readonly carried: boolean;
}

const entriesPerTurn = 500;

/** What a tree has that another has not, sorted by path. See `Snapshotter.compare`. */
export async function compareTrees(comparison: Comparison): Promise<TreeChange[]> {
  const { before, after, layer, signal } = comparison;
  const changes: TreeChange[] = [];
  const top = { path: Buffer.alloc(0), before: before !== undefined, after: after !== undefined };
  const pending: Place[] = [{ ...top, layer: layer !== undefined, carried: false }];
  let turn = 0;
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    for (const name of namesIn(comparison, place)) {
      turn += 1;
      if (turn % entriesPerTurn === 0) {
        await setImmediate();
        signal?.throwIfAborted();
      }
      const path = Buffer.concat([place.path, slash, name]);
      const old = place.before ? statIn(before, path) : undefined;
      const inLayer = place.layer ? statIn(layer, path) : undefined;
      const now =
        !place.after || (inLayer !== undefined && isWhiteout(inLayer)) ? undefined : statIn(after, path);
      const change = await changeOf(comparison, {
        path,
        old,
        now,
        carried: place.carried || inLayer !== undefined,
      });
      if (change !== undefined) changes.push(change);
      if (now?.isDirectory() !== true) continue;
      const opaque = inLayer !== undefined && isOpaque(at(layer, path));
      pending.push({
        path,
        before: old?.isDirectory() === true,
        after: true,
        layer: inLayer !== undefined && !opaque,
        carried: place.carried || opaque,
      });
    }
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Entry {
  readonly path: Buffer;
  readonly old: Stats | undefined;
  readonly now: Stats | undefined;
  readonly carried: boolean;
}

async function changeOf(
  { before, after, signal }: Comparison,
  { path, old, now, carried }: Entry,
): Promise<TreeChange | undefined> {
  if (old === undefined && now === undefined) return undefined;
  const [size, hidden] = [now?.isFile() === true ? now.size : 0, async () => bytesOf(at(before, path), old)];
  const change = { path: path.toString(), size };
  if (old === undefined) return { ...change, kind: 'added', before: 0 };
  if (now === undefined) return { ...change, kind: 'removed', before: await hidden() };
  if (old.isDirectory() && now.isDirectory()) {
    const same = old.mode === now.mode && old.uid === now.uid && old.gid === now.gid;
    return same ? undefined : { ...change, kind: 'changed', before: 0 };
  }
  const same =
    !carried &&
    (await isSameEntry(
      { path: at(before, path), stats: old },
      { path: at(after, path), stats: now },
      signal,
    ));
  return same ? undefined : { ...change, kind: 'changed', before: await hidden() };
}

/** Bytes of a file, or of all in a directory. */
async function bytesOf(path: Buffer, stats: Stats | undefined): Promise<number> {
  if (stats?.isDirectory() === true) return (await treeUsage(path)).bytes;
  return stats?.isFile() === true ? stats.size : 0;
}

function namesIn({ before, after, layer }: Comparison, place: Place): Buffer[] {
  if (place.layer) return readdirSync(at(layer, place.path), { encoding: 'buffer' });
  const names = place.after ? readdirSync(at(after, place.path), { encoding: 'buffer' }) : [];
  if (!place.before) return names;
  const known = new Set(names.map((name) => name.toString('latin1')));
  const old = readdirSync(at(before, place.path), { encoding: 'buffer' });
  return [...names, ...old.filter((name) => !known.has(name.toString('latin1')))];
}

function statIn(root: string | undefined, path: Buffer): Stats | undefined {
  return root === undefined ? undefined : lstatSync(at(root, path), { throwIfNoEntry: false });
}

function at(root: string | undefined, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(root ?? ''), path]);
}

const slash = Buffer.from('/');
