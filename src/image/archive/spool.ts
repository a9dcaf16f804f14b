import { once } from 'node:events';
import { posix } from 'node:path';
import type { Writable } from 'node:stream';
import type { BlobInfo, BlobWriter, ContentStore } from '../../content/index.ts';
import { EngineError } from '../../errors/index.ts';
import { type Compression, compressionOf } from '../../lib/decompress.ts';
import { readTar, type TarEntry, textOf } from '../../lib/tar/index.ts';
import type { Lease } from '../../metadata/index.ts';
import { type Digest, digestOf, hexOf, isDigest, MediaType } from '../../oci/index.ts';
import type { ImageLayer } from '../images.ts';

/** Larger files go to the content store at once; smaller ones, JSON mostly, wait in memory. */
const memoryFileBytes = 1 << 20;
const memoryTotalBytes = 32 << 20;
const largestJsonBytes = 4 << 20;
/** No archive of images comes near: one image has at most some hundred files. */
const mostEntries = 100_000;
const mostLinks = 16;

interface MemoryFile {
  readonly kind: 'memory';
  readonly bytes: Buffer;
}

interface BlobFile {
  readonly kind: 'blob';
  readonly digest: Digest;
  readonly size: number;
  readonly compression: Compression;
}

interface Link {
  readonly kind: 'link';
  /** Path in the archive. */
  readonly target: string;
}

/** Takes a layer's bytes as they pass, so that unpacking need not wait for the end of the archive. */
export interface LayerSink {
  readonly writable: Writable;
  /** Settles when the layer is unpacked; rejects with what was wrong with it. */
  readonly done: Promise<void>;
}

export interface SpoolOptions {
  readonly content: ContentStore;
  readonly lease: Lease;
  readonly signal?: AbortSignal;
  /** Asked for each file as it begins. */
  readonly sinkFor: (path: string, spool: Spool) => LayerSink | undefined;
}

/** The files of an image archive, read once in whatever order they come. Paths are keys here, never opened. */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #files = new Map<string, MemoryFile | BlobFile | Link>();
  readonly #commits: Promise<void>[] = [];
  #memory = 0;
  #entries = 0;

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  /** Reads an archive to its end; all its large files are in the content store then, held by the lease. */
  async fill(archive: AsyncIterable<Uint8Array>): Promise<void> {
    let file: IncomingFile | undefined;
    try {
      for await (const part of readTar(archive)) {
        if (part.kind === 'entry') {
          await file?.end();
          file = await this.#begin(part.entry);
        } else if (part.kind === 'data') {
          await file?.write(part.bytes);
        }
      }
      await file?.end();
      file = undefined;
      await Promise.all(this.#commits);
    } finally {
      await file?.abandon();
      await Promise.allSettled(this.#commits);
    }
  }

  /** The files that went to the content store. */
  blobs(): Digest[] {
    return [...this.#files.values()].flatMap((file) => (file.kind === 'blob' ? [file.digest] : []));
  }

  has(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  /** Whether a file is there that is not empty. */
  hasBytes(path: string): boolean {
    const file = this.#find(path);
    return file !== undefined && (file.kind === 'blob' || file.bytes.length > 0);
  }

  /** A file that is in memory already. */
  peek(path: string): Buffer | undefined {
    const file = this.#find(path);
    return file?.kind === 'memory' ? file.bytes : undefined;
  }

  /** A whole small file. Throws `invalidArgument` when it is missing or too large. */
  async read(path: string): Promise<Buffer> {
    const file = this.#require(path);
    if (file.kind === 'memory') return file.bytes;
    return this.#options.content.read(file.digest, { maxBytes: largestJsonBytes });
  }

  /** A file as a layer blob in the content store. */
  async layer(path: string): Promise<ImageLayer> {
    const file = this.#require(path);
    if (file.kind === 'blob') {
      return { digest: file.digest, size: file.size, mediaType: layerType(file.compression) };
    }
    const { content, lease } = this.#options;
    const { digest, size } = await content.put(file.bytes, lease);
    return { digest, size, mediaType: layerType(compressionOf(file.bytes)) };
  }

  /** Lets a blob of the content store stand for a file of the archive; the caller's lease holds it. */
  adopt({ digest, size }: BlobInfo, compression: Compression): void {
    this.#files.set(`blobs/sha256/${hexOf(digest)}`, { kind: 'blob', digest, size, compression });
  }

  async #begin(entry: TarEntry): Promise<IncomingFile | undefined> {
    this.#options.signal?.throwIfAborted();
    this.#entries += 1;
    if (this.#entries > mostEntries) {
      throw new EngineError('invalidArgument', `invalid archive: more than ${mostEntries} entries`);
    }
    const path = keyOf(textOf(entry.path));
    if (entry.type === 'symlink' || entry.type === 'link') {
      const target = textOf(entry.linkPath);
      const base = entry.type === 'symlink' ? posix.dirname(path) : '';
      this.#files.set(path, { kind: 'link', target: keyOf(posix.join(base, target)) });
      return undefined;
    }
    if (entry.type !== 'file') return undefined;
    const sink = this.#options.sinkFor(path, this);
    if (entry.size <= memoryFileBytes && this.#memory + entry.size <= memoryTotalBytes) {
      this.#memory += entry.size;
      return new IncomingFile({ sink, keep: (bytes) => this.#keepInMemory(path, bytes) });
    }
    const writer = await this.#options.content.ingest(this.#options.signal);
    return new IncomingFile({ sink, writer, commit: (head) => this.#commit(path, writer, head) });
  }

  #keepInMemory(path: string, bytes: Buffer): void {
    const expected = digestNamedBy(path);
    if (expected !== undefined) {
      const digest = digestOf(bytes);
      if (digest !== expected) throw wrongDigest(path, digest);
    }
    this.#files.set(path, { kind: 'memory', bytes });
  }

  /** Commits in the background: syncing one blob goes on while the next is read. */
  #commit(path: string, writer: BlobWriter, head: Buffer): void {
    const commit = async () => {
      await using _writer = writer;
      const { digest, size } = await writer.commit({}, this.#options.lease);
      const expected = digestNamedBy(path);
      if (expected !== undefined && digest !== expected) throw wrongDigest(path, digest);
      this.#files.set(path, { kind: 'blob', digest, size, compression: compressionOf(head) });
    };
    const done = commit();
    done.catch(() => undefined); // Awaited, with all others, at the end of the archive.
    this.#commits.push(done);
  }

  #require(path: string): MemoryFile | BlobFile {
    const file = this.#find(path);
    if (file === undefined) {
      throw new EngineError('invalidArgument', `invalid archive: ${JSON.stringify(path)} is missing`);
    }
    return file;
  }

  #find(path: string): MemoryFile | BlobFile | undefined {
    let key = keyOf(path);
    for (let hops = 0; hops < mostLinks; hops += 1) {
      const file = this.#files.get(key);
      if (file?.kind !== 'link') return file;
      key = file.target;
    }
    return undefined;
  }
}

interface Destination {
  readonly sink?: LayerSink | undefined;
  readonly writer?: BlobWriter;
  readonly commit?: (head: Buffer) => void;
  readonly keep?: (bytes: Buffer) => void;
}

/** A file of the archive while its bytes arrive. */
class IncomingFile {
  readonly #to: Destination;
  readonly #chunks: Buffer[] = [];
  #head: Buffer = Buffer.alloc(0);

  constructor(to: Destination) {
    this.#to = to;
  }

  async write(bytes: Buffer): Promise<void> {
    const { writer, sink } = this.#to;
    if (this.#head.length < 6) this.#head = Buffer.concat([this.#head, bytes.subarray(0, 6)]);
    const waits: Promise<void>[] = [];
    if (writer === undefined) this.#chunks.push(Buffer.from(bytes));
    else if (!writer.writable.write(bytes)) waits.push(drained(writer.writable));
    if (sink !== undefined && !sink.writable.write(bytes)) {
      waits.push(Promise.race([drained(sink.writable), sink.done]));
    }
    if (waits.length > 0) await Promise.all(waits);
  }

  async end(): Promise<void> {
    const { writer, sink, commit, keep } = this.#to;
    writer?.writable.end();
    keep?.(Buffer.concat(this.#chunks));
    commit?.(this.#head);
    if (sink === undefined) return;
    sink.writable.end();
    await sink.done;
  }

  async abandon(): Promise<void> {
    const { writer, sink } = this.#to;
    sink?.writable.destroy();
    await Promise.allSettled([sink?.done, writer?.[Symbol.asyncDispose]()]);
  }
}

async function drained(writable: Writable): Promise<void> {
  if (writable.errored !== null) throw writable.errored;
  if (writable.writableNeedDrain) await once(writable, 'drain');
}

function keyOf(path: string): string {
  return posix.join('/', path).slice(1);
}

function digestNamedBy(path: string): Digest | undefined {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
  const digest = `sha256:${hex}`;
  return isDigest(digest) ? digest : undefined;
}

function wrongDigest(path: string, digest: Digest): EngineError {
  return new EngineError('invalidArgument', `invalid archive: ${JSON.stringify(path)} has digest ${digest}`);
}

function layerType(compression: Compression): string {
  if (compression === 'gzip') return MediaType.ociLayerGzip;
  if (compression === 'zstd') return MediaType.ociLayerZstd;
  if (compression === 'none') return MediaType.ociLayer;
  throw new EngineError('invalidArgument', `invalid archive: a layer compressed with ${compression}`);
}
