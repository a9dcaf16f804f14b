import type { ByteString } from './byte-string.ts';

export type TarType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

/** One member of an archive, with PAX and GNU extensions already applied. */
export interface TarEntry {
  /** As the archive has it: perhaps with `./`, a leading or a trailing slash (see `cleanPath`). */
  readonly path: ByteString;
  readonly type: TarType;
  /** Permission bits with setuid, setgid and sticky (07777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content that follow the header (for a sparse file fewer than it has when unpacked). */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Target of a link or symlink, else empty. */
  readonly linkPath: ByteString;
  readonly userName: ByteString;
  readonly groupName: ByteString;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /**
   * Every PAX record in force, global ones included. Extended attributes are `SCHILY.xattr.NAME`. Of GNU's old sparse
   * format they tell the map, as PAX has it.
   * `encodeTarEntry` ignores those that restate a field above (path, size, mtime, ...).
   */
  readonly pax: ReadonlyMap<string, ByteString>;
  /** Holes are encoded in one of GNU's sparse forms; the content cannot be taken as the file's bytes. */
  readonly sparse: boolean;
}

/** What `encodeTarEntry` needs; the rest has defaults (0, empty, 0644 or 0755). */
export type NewTarEntry = Partial<TarEntry> & Pick<TarEntry, 'path' | 'type'>;

/** Bytes in a header block, and what content is padded to. */
export const blockSize = 512;

/** Two zero blocks: the end of an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockSize);

/** Zero bytes needed after `size` bytes of content. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

const xattrPrefix = 'SCHILY.xattr.';

/** Extended attributes by name. */
export function xattrsOf(entry: TarEntry): Map<string, ByteString> {
  const attributes = new Map<string, ByteString>();
  for (const [key, value] of entry.pax) {
    if (key.startsWith(xattrPrefix)) attributes.set(key.slice(xattrPrefix.length), value);
  }
  return attributes;
}

/** The PAX key that carries an extended attribute. */
export function xattrKey(name: string): string {
  return xattrPrefix + name;
}

/**
 * The path relative to the root of the archive: no leading slash, no empty or `.` parts, no trailing slash.
 * Empty for the root itself; `undefined` if a `..` part is in it.
 */
export function cleanPath(path: ByteString): ByteString | undefined {
  if (!needsCleaning.test(path)) return path;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? undefined : (parts.join('/') as ByteString);
}

const needsCleaning = /(?:^|\/)(?:\.{0,2})(?:\/|$)/;
