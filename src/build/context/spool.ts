import { createHash, type Hash, hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { EngineError } from '../../errors/index.ts';
import { decompress } from '../../lib/decompress.ts';
import { gather } from '../../lib/gather.ts';
import { openNameless } from '../../lib/nameless-file.ts';
import { type ByteString, cleanPath, type TarEntry, TarParser, textOf } from '../../lib/tar/index.ts';
import { writeAll } from '../../lib/write-all.ts';
import type { TreeEntry } from './source-tree.ts';

/** An entry of a spooled archive; its content stands in the spool file. */
export interface SpooledEntry extends TreeEntry {
  readonly offset: number;
  /** Of the content, hex. */
  readonly contentDigest: string;
}

/** An archive in one temporary file, with an index of what is where. */
export interface Spool extends AsyncDisposable {
  readonly file: FileHandle;
  /** By clean path; of entries with the same path the last one counts. */
  readonly entries: ReadonlyMap<ByteString, SpooledEntry>;
}

const batchSize = 256 << 10;
const emptyDigest = hash('sha256', '', 'hex');

/**
 * Writes an archive (plain or compressed) to a nameless file in `directory` and indexes it in the same pass; nothing is
 * unpacked. Rejects with `invalidArgument` for a damaged archive and for an entry that leaves the root.
 */
export async function spoolArchive(
  source: Readable,
  directory: string,
  signal?: AbortSignal,
): Promise<Spool> {
  const file = await openNameless(directory);
  let written = Promise.resolve();
  let plain: Readable | undefined;
  try {
    const indexer = new Indexer();
    let position = 0;
    const { stream } = await decompress(source);
    plain = stream;
    // Clients send a piece for every header and file.
    for await (const chunk of gather(stream, batchSize)) {
      signal?.throwIfAborted();
      await written;
      written = writeAll(file, chunk, position);
      // Awaited in the next round; until then a failure must not count as unhandled.
      written.catch(() => undefined);
      position += chunk.length;
      indexer.push(chunk);
    }
    await written;
    return {
      file,
      entries: indexer.finish(),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await Promise.allSettled([written]);
    plain?.destroy();
    await file.close();
    throw error;
  }
}

class Indexer {
  readonly #parser = new TarParser();
  readonly #entries = new Map<ByteString, SpooledEntry>();
  #current: SpooledEntry | undefined;
  #hash: Hash | undefined;
  #left = 0;

  push(chunk: Buffer): void {
    for (const part of this.#parser.push(chunk)) {
      if (part.kind === 'entry') this.#begin(part.entry, this.#parser.offset);
      else if (part.kind === 'data') this.#data(part.bytes);
    }
  }

  finish(): ReadonlyMap<ByteString, SpooledEntry> {
    this.#parser.finish({ unpadded: true });
    return this.#entries;
  }

  #begin(entry: TarEntry, offset: number): void {
    const path = cleanPath(entry.path);
    if (path === undefined) {
      throw new EngineError('invalidArgument', `Refusing the build context: ${shown(entry.path)} leaves it`);
    }
    if (entry.sparse) {
      throw new EngineError(
        'invalidArgument',
        `Refusing the build context: ${shown(entry.path)} is in a sparse format`,
      );
    }
    if (entry.type === 'link') {
      this.#link(path, this.#target(entry));
      return;
    }
    const spooled: SpooledEntry = {
      path,
      type: entry.type,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      size: entry.size,
      mtimeNs: entry.mtimeNs,
      linkPath: entry.linkPath,
      deviceMajor: entry.deviceMajor,
      deviceMinor: entry.deviceMinor,
      attributes: attributesOf(entry.pax),
      offset,
      contentDigest: emptyDigest,
    };
    this.#entries.set(path, spooled);
    this.#current = spooled;
    this.#left = entry.size;
    this.#hash = undefined;
  }

  /** A hard link is one more name of the same content; where that stands tells it from all others. */
  #link(path: ByteString, target: SpooledEntry): void {
    const shared = { ...target, inode: String(target.offset) };
    this.#entries.set(shared.path, shared);
    this.#entries.set(path, { ...shared, path });
  }

  #target(entry: TarEntry): SpooledEntry {
    const path = cleanPath(entry.linkPath);
    const target = path === undefined ? undefined : this.#entries.get(path);
    if (target === undefined || target.type === 'directory') {
      throw new EngineError(
        'invalidArgument',
        `Refusing the build context: ${shown(entry.path)} links to ${shown(entry.linkPath)}, which is no file in it`,
      );
    }
    return target;
  }

  #data(bytes: Buffer): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#left -= bytes.length;
    if (bytes.length === current.size) {
      this.#done(current, hash('sha256', bytes, 'hex'));
      return;
    }
    this.#hash ??= createHash('sha256');
    this.#hash.update(bytes);
    if (this.#left === 0) this.#done(current, this.#hash.digest('hex'));
  }

  #done(entry: SpooledEntry, contentDigest: string): void {
    this.#entries.set(entry.path, { ...entry, contentDigest });
    this.#current = undefined;
  }
}

const noAttributes: ReadonlyMap<string, ByteString> = new Map();

function attributesOf(pax: ReadonlyMap<string, ByteString>): ReadonlyMap<string, ByteString> {
  if (pax.size === 0) return noAttributes;
  return new Map([...pax].filter(([key]) => key.startsWith('SCHILY.xattr.')));
}

function shown(path: ByteString): string {
  return JSON.stringify(textOf(path));
}
