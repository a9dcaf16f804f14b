import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs';
import type { Readable } from 'node:stream';
import { addAbortSignal } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { messageOf } from '../../errors/index.ts';
import { decompress } from '../../lib/decompress.ts';
import {
  type ByteString,
  bufferOf,
  cleanPath,
  type TarEntry,
  TarParser,
  textOf,
} from '../../lib/tar/index.ts';
import type { DiffId } from '../../oci/index.ts';
import { isWhiteout } from '../overlay/changes.ts';
import { joinPath, parentOf } from './names.ts';
import { ToOverlay } from './to-overlay.ts';

export interface TreeCheck {
  /** A layer's own tree, in overlay's form. */
  readonly root: string;
  /** The layer as it was unpacked, plain or compressed. */
  readonly tar: Readable;
  readonly diffId: DiffId;
  /** Nothing is below. */
  readonly base: boolean;
  readonly signal?: AbortSignal;
}

const entriesPerTurn = 500;

/** What is wrong with the tree of a layer against its tar, entry by entry: names with the reason. None: it is whole. */
export async function verifyTree(check: TreeCheck): Promise<string[]> {
  const { tar, signal } = check;
  const tree = new TreeUnderCheck(check.root);
  const transform = new ToOverlay({ base: check.base });
  const parser = new TarParser();
  const hash = createHash('sha256');
  try {
    if (signal !== undefined) addAbortSignal(signal, tar);
    const { stream } = await decompress(tar);
    for await (const chunk of stream) {
      hash.update(chunk as Buffer);
      for (const bytes of transform.push(chunk as Buffer)) {
        for (const part of parser.push(bytes)) {
          if (part.kind === 'entry') tree.entry(part.entry);
          else if (part.kind === 'data') tree.data(part.bytes);
        }
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    return [`its blob cannot be read: ${messageOf(error)}`];
  } finally {
    tree.close();
  }
  if (`sha256:${hash.digest('hex')}` !== check.diffId) return ['its blob is of another layer'];
  for (const { path } of transform.linksBelow) tree.expect(path);
  await tree.findStrangers(signal);
  return tree.problems();
}

/** Compares entries, as they come, with what stands in a directory. A later entry of a name takes the place of one before. */
class TreeUnderCheck {
  readonly #root: string;
  /** What is wrong with each path; `undefined` is nothing. */
  readonly #seen = new Map<ByteString, string | undefined>();
  #open: { readonly path: ByteString; readonly fd: number; position: number } | undefined;
  #buffer = Buffer.alloc(1 << 16);

  constructor(root: string) {
    this.#root = root;
  }

  entry(entry: TarEntry): void {
    this.close();
    const path = cleanPath(entry.path);
    if (path === undefined) return;
    this.expect(path);
    const stats = this.#stat(path);
    const problem = stats === undefined ? 'is missing' : this.#difference(entry, path, stats);
    this.#seen.set(path, problem);
    if (problem !== undefined || entry.type !== 'file' || entry.sparse) return;
    this.#open = { path, fd: openSync(this.#at(path), 'r'), position: 0 };
  }

  data(bytes: Buffer): void {
    const file = this.#open;
    if (file === undefined) return;
    if (this.#buffer.length < bytes.length) this.#buffer = Buffer.alloc(bytes.length);
    const count = readSync(file.fd, this.#buffer, 0, bytes.length, file.position);
    file.position += bytes.length;
    if (count === bytes.length && this.#buffer.subarray(0, count).equals(bytes)) return;
    this.#seen.set(file.path, 'has other content');
    this.close();
  }

  close(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd);
    this.#open = undefined;
  }

  /** Notes that a path and the directories above it may be there. */
  expect(path: ByteString): void {
    for (let at = path; !this.#seen.has(at); at = parentOf(at)) {
      this.#seen.set(at, undefined);
      if (at === '') return;
    }
  }

  async findStrangers(signal?: AbortSignal): Promise<void> {
    const pending: ByteString[] = ['' as ByteString];
    let turn = 0;
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      if (this.#stat(directory)?.isDirectory() !== true) continue;
      for (const entry of readdirSync(this.#at(directory), { encoding: 'buffer', withFileTypes: true })) {
        turn += 1;
        if (turn % entriesPerTurn === 0) {
          await setImmediate();
          signal?.throwIfAborted();
        }
        const path = joinPath(directory, entry.name.toString('latin1'));
        // No archive holds a socket that a step left behind.
        if (entry.isSocket()) continue;
        if (!this.#seen.has(path)) this.#seen.set(path, 'is not of the layer');
        else if (entry.isDirectory()) pending.push(path);
      }
    }
  }

  problems(): string[] {
    const wrong = [...this.#seen].flatMap(([path, problem]) =>
      problem === undefined ? [] : [`/${textOf(path)} ${problem}`],
    );
    return wrong.sort();
  }

  #difference(entry: TarEntry, path: ByteString, stats: Stats): string | undefined {
    if (!isOfType(entry, stats)) return 'is of another kind';
    if (isWhiteout(stats)) return undefined;
    if (entry.type === 'symlink') {
      const target = readlinkSync(this.#at(path), { encoding: 'buffer' });
      return target.equals(bufferOf(entry.linkPath)) ? undefined : 'leads elsewhere';
    }
    // A later link of a file may have brought other attributes.
    if (entry.type === 'link') return undefined;
    if ((stats.mode & 0o7777) !== entry.mode) return `has mode ${(stats.mode & 0o7777).toString(8)}`;
    if (stats.uid !== entry.uid || stats.gid !== entry.gid) return `has owner ${stats.uid}:${stats.gid}`;
    return entry.type === 'file' && !entry.sparse && stats.size !== entry.size
      ? 'has another size'
      : undefined;
  }

  #stat(path: ByteString): Stats | undefined {
    return lstatSync(this.#at(path), { throwIfNoEntry: false });
  }

  #at(path: ByteString): Buffer {
    return Buffer.concat([Buffer.from(`${this.#root}/`), bufferOf(path)]);
  }
}

function isOfType({ type }: TarEntry, stats: Stats): boolean {
  switch (type) {
    case 'file':
    case 'link':
      return !stats.isDirectory() && (type === 'link' || stats.isFile());
    case 'symlink':
      return stats.isSymbolicLink();
    case 'directory':
      return stats.isDirectory();
    case 'fifo':
      return stats.isFIFO();
    case 'character':
      return stats.isCharacterDevice();
    case 'block':
      return stats.isBlockDevice();
  }
}
