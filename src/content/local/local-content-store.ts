import { createHash, randomBytes } from 'node:crypto';
import {
  type FileHandle,
  mkdir,
  open,
  opendir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { HashingWritable } from '../../lib/hashing-writable.ts';
import { KeyedLock } from '../../lib/keyed-lock.ts';
import { exists } from '../../lib/missing-files.ts';
import { replaceFile, syncDirectory } from '../../lib/replace-file.ts';
import type { Lease } from '../../metadata/index.ts';
import { type Digest, digestOf, hexOf, type Index, isDigest } from '../../oci/index.ts';
import type { BlobInfo, BlobRange, BlobWriter, ContentStore, PartialBlob } from '../content-store.ts';
import { PartialBlobs } from './partial-blobs.ts';
import { verify, type WrittenBlob } from './written-blob.ts';

const readChunk = 1 << 20;
/** Held back before the source has to wait: enough for one system call to write many chunks. */
const highWaterMark = 1 << 20;
const defaultMaxBytes = 4 << 20;

/**
 * Opens (and makes) a content store at `directory`, which is an OCI image layout: `oci-layout` and
 * `blobs/sha256/HEX`. Blobs being written are files in `ingest/`; what a crash left there is dropped. Those that
 * arrive in part are in `partial/`, and what a crash left there is gone on with.
 * The layout's `index.json` is a view for other tools and is written by whoever knows the images.
 */
export async function openContentStore(options: { readonly directory: string }): Promise<ContentStore> {
  const blobs = join(options.directory, 'blobs', 'sha256');
  const ingest = join(options.directory, 'ingest');
  await rm(ingest, { recursive: true, force: true });
  await mkdir(blobs, { recursive: true });
  await mkdir(ingest, { recursive: true, mode: 0o700 });
  const partial = join(options.directory, 'partial');
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const layout = join(options.directory, 'oci-layout');
  if (!(await exists(layout))) await replaceFile(layout, '{"imageLayoutVersion":"1.0.0"}');
  return new LocalContentStore(options.directory, blobs, { ingest, partial });
}

class LocalContentStore implements ContentStore {
  readonly #directory: string;
  readonly #blobs: string;
  readonly #ingest: string;
  /** Commit and delete of one digest take turns, so that neither sees the other half done. */
  readonly #locks = new KeyedLock();

  readonly #partials: PartialBlobs;

  constructor(
    directory: string,
    blobs: string,
    { ingest, partial }: { readonly ingest: string; readonly partial: string },
  ) {
    this.#directory = directory;
    this.#blobs = blobs;
    this.#ingest = ingest;
    this.#partials = new PartialBlobs(partial, (blob) => this.#publish(blob));
  }

  async info(digest: Digest): Promise<BlobInfo | undefined> {
    try {
      return { digest, size: (await stat(this.#path(digest))).size };
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async open(digest: Digest, range: BlobRange = {}): Promise<Readable> {
    const { start = 0, end = Number.POSITIVE_INFINITY } = range;
    if (start < 0 || end < start) {
      throw new EngineError('invalidArgument', `invalid range of blob ${digest}: ${start} to ${end}`);
    }
    const file = await this.#openBlob(digest);
    return file.createReadStream({ start, end, highWaterMark: readChunk });
  }

  async read(digest: Digest, options: { readonly maxBytes?: number } = {}): Promise<Buffer> {
    const maxBytes = options.maxBytes ?? defaultMaxBytes;
    await using file = await this.#openBlob(digest);
    const { size } = await file.stat();
    if (size > maxBytes) {
      throw new EngineError('invalidArgument', `blob ${digest} is ${size} bytes, over ${maxBytes}`);
    }
    return await file.readFile();
  }

  async *list(): AsyncIterable<BlobInfo> {
    for await (const entry of await opendir(this.#blobs)) {
      const digest = `sha256:${entry.name}`;
      if (!isDigest(digest)) continue;
      const info = await this.info(digest);
      if (info !== undefined) yield info;
    }
  }

  async ingest(signal?: AbortSignal): Promise<BlobWriter> {
    signal?.throwIfAborted();
    const path = join(this.#ingest, randomBytes(12).toString('hex'));
    const file = await open(path, 'wx', 0o644);
    const hash = createHash('sha256');
    const writable = new HashingWritable(file.fd, { hash, position: 0, highWaterMark });
    // An error also rejects whoever writes and the commit; this keeps it from being thrown at nobody.
    writable.on('error', () => undefined);
    const abort = () => {
      writable.destroy(signal?.reason as Error);
    };
    signal?.addEventListener('abort', abort, { once: true });
    let closed = false;
    return {
      writable,
      commit: async (expected = {}, lease) => {
        await endOf(writable);
        const info = { digest: `sha256:${hash.digest('hex')}` as Digest, size: writable.position };
        verify(info, expected);
        await this.#publish({ file, path, info, lease });
        return info;
      },
      [Symbol.asyncDispose]: async () => {
        if (closed) return;
        closed = true;
        signal?.removeEventListener('abort', abort);
        await stop(writable);
        await file.close();
        await rm(path, { force: true });
      },
    };
  }

  resume(blob: BlobInfo, signal?: AbortSignal): Promise<PartialBlob> {
    return this.#partials.open(blob, signal);
  }

  partials(): AsyncIterable<BlobInfo> {
    return this.#partials.list();
  }

  dropPartial(digest: Digest): Promise<boolean> {
    return this.#partials.drop(digest);
  }

  async put(bytes: Uint8Array | string, lease?: Lease): Promise<BlobInfo> {
    const digest = digestOf(bytes);
    const size = Buffer.byteLength(bytes);
    {
      using _held = await this.#locks.acquire(digest);
      lease?.add({ kind: 'blob', id: digest });
      const there = await this.info(digest);
      if (there?.size === size) return there;
    }
    await using writer = await this.ingest();
    writer.writable.end(bytes);
    return await writer.commit({ digest, size }, lease);
  }

  async delete(digest: Digest, keep?: () => boolean): Promise<boolean> {
    using _held = await this.#locks.acquire(digest);
    if (keep?.() === true) return false;
    try {
      await rm(this.#path(digest));
      return true;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  async describe(index: Index): Promise<void> {
    const temporary = join(this.#ingest, randomBytes(12).toString('hex'));
    try {
      await writeFile(temporary, JSON.stringify(index));
      await rename(temporary, join(this.#directory, 'index.json'));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async described(): Promise<string | undefined> {
    try {
      return await readFile(join(this.#directory, 'index.json'), 'utf8');
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async strays({ remove }: { readonly remove: boolean }): Promise<string[]> {
    const names = await readdir(this.#blobs);
    const strays = names.filter((name) => !isDigest(`sha256:${name}`));
    for (const name of remove ? strays : [])
      await rm(join(this.#blobs, name), { recursive: true, force: true });
    return strays.map((name) => `blobs/sha256/${name}`);
  }

  async #publish(blob: WrittenBlob): Promise<void> {
    const { file, path, info, lease } = blob;
    // Outside the lock: syncing a large blob takes long.
    const there = await this.info(info.digest);
    if (there?.size !== info.size) await file.sync();
    using _held = await this.#locks.acquire(info.digest);
    lease?.add({ kind: 'blob', id: info.digest });
    const now = await this.info(info.digest);
    if (now?.size === info.size) return;
    if (there !== undefined) await file.sync();
    await rename(path, this.#path(info.digest));
    await syncDirectory(this.#blobs);
  }

  async #openBlob(digest: Digest): Promise<FileHandle> {
    try {
      return await open(this.#path(digest), 'r');
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      throw new EngineError('notFound', `blob ${digest} is not in the content store`, { cause: error });
    }
  }

  #path(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }
}

/** Ends the stream, unless its source did, and waits until all is written. */
async function endOf(writable: Writable): Promise<void> {
  if (!writable.writableEnded) writable.end();
  await finished(writable);
}

/** Ends a stream that may have a write under way, which must be over before its file is closed. */
async function stop(writable: Writable): Promise<void> {
  if (!writable.closed) {
    const closed = new Promise((resolve) => writable.once('close', resolve));
    writable.destroy();
    await closed;
  }
}
