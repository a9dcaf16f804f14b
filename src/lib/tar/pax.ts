import { EngineError } from '../../errors/index.ts';
import type { ByteString } from './byte-string.ts';

const space = 0x20;
const newline = 0x0a;

/** Reads `LENGTH KEY=VALUE\n` records into `into`, later ones winning. An empty value removes the key. */
export function parsePax(block: Buffer, into: Map<string, ByteString>): void {
  let at = 0;
  while (at < block.length) {
    const gap = block.indexOf(space, at);
    const length = gap < 0 ? NaN : Number(block.toString('latin1', at, gap));
    const end = at + length;
    const equals = block.indexOf(0x3d, gap + 1);
    const valid = Number.isInteger(length) && end <= block.length && equals > gap && equals < end - 1;
    if (!valid || block[end - 1] !== newline) {
      // Some writers pad the records with zero bytes.
      if (block.subarray(at).every((byte) => byte === 0)) return;
      throw new EngineError('invalidArgument', 'archive/tar: invalid tar header: damaged PAX records');
    }
    const key = block.toString('latin1', gap + 1, equals);
    if (equals === end - 2) into.delete(key);
    else into.set(key, block.toString('latin1', equals + 1, end - 1) as ByteString);
    at = end;
  }
}

export function encodePax(records: ReadonlyMap<string, ByteString>): Buffer {
  let text = '';
  for (const [key, value] of records) {
    const body = ` ${key}=${value}\n`;
    // The length counts its own digits.
    let length = body.length + String(body.length).length;
    if (String(length).length > String(body.length).length) length = body.length + String(length).length;
    text += length + body;
  }
  return Buffer.from(text, 'latin1');
}

/** `-12.000000005` or `12` as nanoseconds; `undefined` when it is no decimal number. Digits past the ninth are cut. */
export function parsePaxTime(text: string): bigint | undefined {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, seconds = '0', fraction = ''] = match;
  const magnitude = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return sign === '-' ? -magnitude : magnitude;
}

export function formatPaxTime(nanoseconds: bigint): ByteString {
  const magnitude = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = String(magnitude % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const whole = `${nanoseconds < 0n ? '-' : ''}${magnitude / 1_000_000_000n}`;
  return (fraction === '' ? whole : `${whole}.${fraction}`) as ByteString;
}
