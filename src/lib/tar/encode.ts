import { EngineError } from '../../errors/index.ts';
import type { ByteString } from './byte-string.ts';
import { type NewTarEntry, paddingOf } from './entry.ts';
import { encodeHeader, flagOf } from './header.ts';
import { encodePax, formatPaxTime } from './pax.ts';

/** Records that restate a field of the entry, or that would make archives of equal trees differ. */
const derived = new Set([
  'path',
  'linkpath',
  'size',
  'uid',
  'gid',
  'uname',
  'gname',
  'mtime',
  'atime',
  'ctime',
  'comment',
  'charset',
  'hdrcharset',
  'SCHILY.devmajor',
  'SCHILY.devminor',
]);
const sparseMap = 'GNU.sparse.map';
const largestId = 0o7777777;
const largestSize = 0o77777777777;
const none = '' as ByteString;

/**
 * The header of an entry, a PAX extension before it where ustar's fields do not hold it; equal entries give equal
 * bytes. The caller writes exactly `size` bytes of content after it and `paddingOf(size)` zeros.
 */
export function encodeTarEntry(entry: NewTarEntry): Buffer {
  if (entry.sparse === true && !entry.pax?.has('GNU.sparse.major') && !entry.pax?.has(sparseMap)) {
    throw new EngineError(
      'notImplemented',
      `Cannot rewrite the sparse entry ${JSON.stringify(entry.path)}: pack it without --sparse`,
    );
  }
  const { path, type, uid = 0, gid = 0, linkPath = none, mtimeNs = 0n } = entry;
  const { userName = none, groupName = none, deviceMajor = 0, deviceMinor = 0 } = entry;
  const size = type === 'file' ? (entry.size ?? 0) : 0;
  const seconds = mtimeNs / 1_000_000_000n;
  const plainTime = mtimeNs >= 0n && seconds <= largestSize;
  const records = new Map<string, ByteString>();
  const decimal = (key: string, value: number, largest: number) => {
    if (value > largest) records.set(key, String(value) as ByteString);
    return value > largest ? 0 : value;
  };

  if (path.length > 100) records.set('path', path);
  if (linkPath.length > 100) records.set('linkpath', linkPath);
  if (userName.length > 31) records.set('uname', userName);
  if (groupName.length > 31) records.set('gname', groupName);
  if (!plainTime || mtimeNs % 1_000_000_000n !== 0n) records.set('mtime', formatPaxTime(mtimeNs));
  const header = {
    path: path.slice(0, 100) as ByteString,
    flag: flagOf[type],
    mode: entry.mode ?? (type === 'directory' ? 0o755 : 0o644),
    uid: decimal('uid', uid, largestId),
    gid: decimal('gid', gid, largestId),
    size: decimal('size', size, largestSize),
    mtime: plainTime ? Number(seconds) : 0,
    linkPath: linkPath.slice(0, 100) as ByteString,
    userName: userName.slice(0, 31) as ByteString,
    groupName: groupName.slice(0, 31) as ByteString,
    deviceMajor: decimal('SCHILY.devmajor', deviceMajor, largestId),
    deviceMinor: decimal('SCHILY.devminor', deviceMinor, largestId),
  };
  const extra = [...(entry.pax ?? [])].filter(([key]) => !derived.has(key));
  for (const [key, value] of extra.sort(([a], [b]) => (a < b ? -1 : 1))) {
    records.set(key, key === 'GNU.sparse.name' ? path : value);
  }
  const map = records.get(sparseMap);
  if (map !== undefined) {
    // GNU tar has to know before it how many blocks it tells.
    records.delete(sparseMap);
    records.set(sparseMap, map);
  }
  if (records.size === 0) return encodeHeader(header);

  const body = encodePax(records);
  const name = path.slice(path.replace(/\/+$/, '').lastIndexOf('/') + 1).slice(0, 80);
  const extension = encodeHeader({
    ...header,
    path: `PaxHeaders.0/${name.replace(/\/+$/, '')}` as ByteString,
    flag: 'x',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    linkPath: none,
    userName: none,
    groupName: none,
    deviceMajor: 0,
    deviceMinor: 0,
  });
  return Buffer.concat([extension, body, Buffer.alloc(paddingOf(body.length)), encodeHeader(header)]);
}
