import { EngineError } from '../../errors/index.ts';
import type { ByteString } from './byte-string.ts';
import { blockSize, type TarType } from './entry.ts';

/** The fields of one 512-byte header block, before any extension. */
export interface HeaderBlock {
  readonly path: ByteString;
  /** The type flag's character; NUL reads as '0'. */
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds. */
  readonly mtime: number;
  readonly linkPath: ByteString;
  readonly userName: ByteString;
  readonly groupName: ByteString;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

export const flagOf: Readonly<Record<TarType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

export const typeOf: Readonly<Record<string, TarType>> = {
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  // A contiguous file, which nobody treats apart, and GNU's old sparse file.
  '7': 'file',
  S: 'file',
};

export function isZeroBlock(block: Buffer, at: number): boolean {
  if (block[at] !== 0) return false;
  for (let index = at + 1; index < at + blockSize; index += 1) if (block[index] !== 0) return false;
  return true;
}

/** Decodes the header at `at`. Throws `invalidArgument` for a bad checksum or number. */
export function decodeHeader(buffer: Buffer, at: number): HeaderBlock {
  checkSum(buffer, at);
  const name = text(buffer, at, 100);
  const posix = buffer.toString('latin1', at + 257, at + 263) === 'ustar\0';
  const prefix = posix ? text(buffer, at + 345, 155) : '';
  const flag = buffer[at + 156] === 0 ? '0' : String.fromCharCode(buffer[at + 156] ?? 0x30);
  const device = flag === '3' || flag === '4';
  return {
    path: (prefix === '' ? name : `${prefix}/${name}`) as ByteString,
    flag,
    mode: number(buffer, at + 100, 8),
    uid: number(buffer, at + 108, 8),
    gid: number(buffer, at + 116, 8),
    size: number(buffer, at + 124, 12),
    mtime: number(buffer, at + 136, 12),
    linkPath: text(buffer, at + 157, 100),
    userName: text(buffer, at + 265, 32),
    groupName: text(buffer, at + 297, 32),
    deviceMajor: device ? number(buffer, at + 329, 8) : 0,
    deviceMinor: device ? number(buffer, at + 337, 8) : 0,
  };
}

/** Writes a POSIX ustar header; every value must fit its field (see `encodeTarEntry`). */
export function encodeHeader(header: HeaderBlock): Buffer {
  const block = Buffer.alloc(blockSize);
  block.write(header.path, 0, 100, 'latin1');
  putOctal(block, 100, 8, header.mode);
  putOctal(block, 108, 8, header.uid);
  putOctal(block, 116, 8, header.gid);
  putOctal(block, 124, 12, header.size);
  putOctal(block, 136, 12, header.mtime);
  block.write(header.flag, 156, 1, 'latin1');
  block.write(header.linkPath, 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 8, 'latin1');
  block.write(header.userName, 265, 31, 'latin1');
  block.write(header.groupName, 297, 31, 'latin1');
  putOctal(block, 329, 8, header.deviceMajor);
  putOctal(block, 337, 8, header.deviceMinor);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return block;
}

function putOctal(block: Buffer, at: number, width: number, value: number): void {
  block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, width, 'latin1');
}

function text(buffer: Buffer, at: number, width: number): ByteString {
  const end = buffer.indexOf(0, at);
  return buffer.toString('latin1', at, end < 0 || end > at + width ? at + width : end) as ByteString;
}

/** The number in a field: octal, or binary where that is too short. */
export function number(buffer: Buffer, at: number, width: number): number {
  const first = buffer[at] ?? 0;
  if ((first & 0x80) !== 0) return base256(buffer, at, width);
  let value = 0;
  let index = at;
  const end = at + width;
  while (index < end && (buffer[index] === 0x20 || buffer[index] === 0)) index += 1;
  for (; index < end; index += 1) {
    const digit = (buffer[index] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) {
      if (buffer[index] === 0x20 || buffer[index] === 0) break;
      throw damaged('a number is not octal');
    }
    value = value * 8 + digit;
  }
  return value;
}

function base256(buffer: Buffer, at: number, width: number): number {
  const negative = buffer[at] === 0xff;
  let value = 0n;
  for (let index = at; index < at + width; index += 1) {
    const byte = buffer[index] ?? 0;
    value = (value << 8n) | BigInt(index === at ? byte & 0x7f : byte);
  }
  if (negative) value -= 1n << BigInt(width * 8 - 1);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw damaged('a number is too large');
  return result;
}

function checkSum(buffer: Buffer, at: number): void {
  let unsigned = 0;
  let signed = 0;
  for (let index = at; index < at + blockSize; index += 1) {
    const byte = buffer[index] ?? 0;
    unsigned += byte;
    if (byte > 0x7f) signed -= 256;
  }
  let own = 0;
  for (let index = at + 148; index < at + 156; index += 1) own += buffer[index] ?? 0;
  let ownSigned = 0;
  for (let index = at + 148; index < at + 156; index += 1) if ((buffer[index] ?? 0) > 0x7f) ownSigned -= 256;
  const expected = unsigned - own + 8 * 0x20;
  const stored = number(buffer, at + 148, 8);
  if (stored !== expected && stored !== expected + signed - ownSigned) throw damaged('checksum mismatch');
}

function damaged(why: string): EngineError {
  return new EngineError('invalidArgument', `archive/tar: invalid tar header: ${why}`);
}
