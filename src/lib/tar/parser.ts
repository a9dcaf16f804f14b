import { EngineError } from '../../errors/index.ts';
import type { ByteString } from './byte-string.ts';
import { blockSize, paddingOf, type TarEntry } from './entry.ts';
import { decodeHeader, type HeaderBlock, isZeroBlock, typeOf } from './header.ts';
import { parsePax, parsePaxTime } from './pax.ts';
import { sparseRecords } from './sparse.ts';

/**
 * A piece of an archive. Joined in order, the bytes of all parts are the archive; wherever possible they are views
 * into the pushed chunks, so keep or change none of them past the next push.
 */
export type TarPart =
  /** `raw`: the header block with the extension headers before it. `offset`: where `raw` begins in the archive. */
  | { readonly kind: 'entry'; readonly entry: TarEntry; readonly raw: Buffer; readonly offset: number }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'padding'; readonly bytes: Buffer }
  /** A PAX header for all entries that follow (already merged into their `pax`). */
  | { readonly kind: 'global'; readonly raw: Buffer }
  /** The zero blocks, and whatever follows them. */
  | { readonly kind: 'end'; readonly bytes: Buffer };

/** No honest name, link target or set of extended attributes comes near. */
const largestExtension = 1 << 20;

/** What the extension headers before an entry said. */
interface Extensions {
  readonly records: Map<string, ByteString>;
  longName?: ByteString;
  longLink?: ByteString;
}

interface HeaderGroup {
  readonly part: TarPart;
  readonly length: number;
}

/**
 * Splits an archive (POSIX ustar and PAX, GNU, v7) into parts while its bytes arrive.
 * Damage, truncation and oversized headers throw `invalidArgument`.
 */
export class TarParser {
  readonly #global = new Map<string, ByteString>();
  #carry: Buffer = Buffer.alloc(0);
  #data = 0;
  #padding = 0;
  #offset = 0;
  #zeroBlocks = 0;
  #lastPath = '';

  /** Offset in the archive of the next byte not yet given out; right after an `entry` part, of its content. */
  get offset(): number {
    return this.#offset;
  }

  *push(chunk: Buffer): Generator<TarPart, void, undefined> {
    const bytes = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    this.#carry = Buffer.alloc(0);
    let at = 0;
    while (at < bytes.length) {
      if (this.#data > 0) {
        const length = Math.min(this.#data, bytes.length - at);
        this.#data -= length;
        this.#offset += length;
        yield { kind: 'data', bytes: bytes.subarray(at, at + length) };
        at += length;
      } else if (this.#padding > 0) {
        const length = Math.min(this.#padding, bytes.length - at);
        this.#padding -= length;
        this.#offset += length;
        yield { kind: 'padding', bytes: bytes.subarray(at, at + length) };
        at += length;
      } else if (this.#zeroBlocks === 2) {
        this.#offset += bytes.length - at;
        yield { kind: 'end', bytes: bytes.subarray(at) };
        return;
      } else {
        const group = this.#header(bytes, at);
        if (group === undefined) {
          this.#carry = Buffer.from(bytes.subarray(at));
          return;
        }
        this.#offset += group.length;
        at += group.length;
        yield group.part;
      }
    }
  }

  /**
   * Call when no more bytes come. Throws if the archive stops in the middle of an entry; `unpadded` lets it stop after
   * the last byte of a content, as the docker CLI's context does when the Dockerfile comes from outside.
   */
  finish({ unpadded = false }: { readonly unpadded?: boolean } = {}): void {
    const whole = this.#padding === 0 || unpadded;
    if (this.#data === 0 && whole && this.#carry.length === 0) return;
    const where = this.#lastPath === '' ? '' : ` after ${JSON.stringify(this.#lastPath)}`;
    throw new EngineError('invalidArgument', `unexpected EOF: the archive is cut off${where}`);
  }

  /** The header with its extensions that begins at `at`; `undefined` if not all of it is there yet. */
  #header(bytes: Buffer, at: number): HeaderGroup | undefined {
    const extensions: Extensions = { records: new Map(this.#global) };
    let next = at;
    for (;;) {
      if (next + blockSize > bytes.length) return undefined;
      if (isZeroBlock(bytes, next)) {
        if (next > at)
          throw new EngineError('invalidArgument', 'archive/tar: invalid tar header: none follows');
        this.#zeroBlocks += 1;
        return { part: { kind: 'end', bytes: bytes.subarray(at, at + blockSize) }, length: blockSize };
      }
      if (this.#zeroBlocks > 0) {
        throw new EngineError('invalidArgument', 'archive/tar: invalid tar header: data after the end');
      }
      const header = decodeHeader(bytes, next);
      if (!'xgXLK'.includes(header.flag)) return this.#entry(header, extensions, { bytes, at, next });
      if (header.size > largestExtension || next - at > 4 * largestExtension) {
        throw new EngineError(
          'invalidArgument',
          `Refusing the archive: a header of ${header.size} bytes stands before an entry after ${JSON.stringify(this.#lastPath)}`,
        );
      }
      const start = next + blockSize;
      next = start + header.size + paddingOf(header.size);
      if (next > bytes.length) return undefined;
      const body = bytes.subarray(start, start + header.size);
      if (header.flag === 'g') {
        if (start - blockSize > at) {
          throw new EngineError(
            'invalidArgument',
            'archive/tar: invalid tar header: global header inside another',
          );
        }
        parsePax(body, this.#global);
        return { part: { kind: 'global', raw: bytes.subarray(at, next) }, length: next - at };
      }
      extend(extensions, header.flag, body);
    }
  }

  #entry(
    header: HeaderBlock,
    extensions: Extensions,
    where: { bytes: Buffer; at: number; next: number },
  ): HeaderGroup | undefined {
    const { bytes, at, next } = where;
    let end = next + blockSize;
    if (header.flag === 'S') {
      // Old GNU sparse: while a flag says so, one more block of the map follows.
      let more = bytes[next + 482] !== 0;
      while (more) {
        if (end + blockSize > bytes.length) return undefined;
        more = bytes[end + 504] !== 0;
        end += blockSize;
      }
      for (const [key, value] of sparseRecords(bytes.subarray(next, end))) extensions.records.set(key, value);
    }
    const entry = entryOf(header, extensions);
    this.#lastPath = entry.path;
    this.#data = entry.size;
    this.#padding = paddingOf(entry.size);
    return {
      part: { kind: 'entry', entry, raw: bytes.subarray(at, end), offset: this.#offset },
      length: end - at,
    };
  }
}

/** The parts of an archive as its bytes arrive from a stream. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarPart, void, undefined> {
  const parser = new TarParser();
  for await (const chunk of source) {
    yield* parser.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }
  parser.finish();
}

function extend(extensions: Extensions, flag: string, body: Buffer): void {
  if (flag === 'x' || flag === 'X') {
    parsePax(body, extensions.records);
    return;
  }
  const end = body.indexOf(0);
  const name = body.toString('latin1', 0, end < 0 ? body.length : end) as ByteString;
  if (flag === 'L') extensions.longName = name;
  else extensions.longLink = name;
}

function entryOf(header: HeaderBlock, extensions: Extensions): TarEntry {
  const pax = extensions.records;
  const path = pax.get('GNU.sparse.name') ?? pax.get('path') ?? extensions.longName ?? header.path;
  // Before POSIX a directory was a file whose name ends in a slash.
  const type = header.flag === '0' && path.endsWith('/') ? 'directory' : typeOf[header.flag];
  if (type === undefined) {
    throw new EngineError(
      'invalidArgument',
      `Unsupported entry type ${JSON.stringify(header.flag)} of ${JSON.stringify(path)}`,
    );
  }
  if (path.includes('\0') || path === '') {
    throw new EngineError(
      'invalidArgument',
      `archive/tar: invalid tar header: bad name ${JSON.stringify(path)}`,
    );
  }
  const size = decimal(pax, 'size') ?? header.size;
  if (size > 0 && type !== 'file' && type !== 'link') {
    // Readers disagree whether content follows, and so on what the next entry is.
    throw new EngineError(
      'invalidArgument',
      `archive/tar: invalid tar header: ${type} ${JSON.stringify(path)} of ${size} bytes`,
    );
  }
  const time = pax.get('mtime');
  const mtimeNs = time === undefined ? undefined : parsePaxTime(time);
  return {
    path,
    type,
    mode: header.mode & 0o7777,
    uid: decimal(pax, 'uid') ?? header.uid,
    gid: decimal(pax, 'gid') ?? header.gid,
    // A hard link may tell its file's size, but no content follows.
    size: type === 'file' ? size : 0,
    mtimeNs: mtimeNs ?? BigInt(header.mtime) * 1_000_000_000n,
    linkPath: pax.get('linkpath') ?? extensions.longLink ?? header.linkPath,
    userName: pax.get('uname') ?? header.userName,
    groupName: pax.get('gname') ?? header.groupName,
    deviceMajor: decimal(pax, 'SCHILY.devmajor') ?? header.deviceMajor,
    deviceMinor: decimal(pax, 'SCHILY.devminor') ?? header.deviceMinor,
    pax,
    sparse: pax.has('GNU.sparse.major') || pax.has('GNU.sparse.map') || pax.has('GNU.sparse.size'),
  };
}

function decimal(pax: ReadonlyMap<string, ByteString>, key: string): number | undefined {
  const value = pax.get(key);
  if (value === undefined) return undefined;
  const result = /^\d{1,16}$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(result)) {
    throw new EngineError(
      'invalidArgument',
      `archive/tar: invalid tar header: ${key}=${JSON.stringify(value)}`,
    );
  }
  return result;
}
