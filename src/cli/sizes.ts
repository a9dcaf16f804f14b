import { EngineError } from '../errors/index.ts';
import { parseBytes } from '../lib/bytes.ts';
import { parseDuration } from '../lib/duration.ts';

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/** Bytes of `512m`, `1.5g`, `64k`, `100`: powers of 1024. */
export function parseSize(text: string): number {
  return parseBytes(text, 1024);
}

/** Like `parseSize`, and -1 for unlimited. */
export function parseSwapSize(text: string): number {
  return text === '-1' ? -1 : parseSize(text);
}

/** 1e-9 CPUs of `1.5` or `3/2`. */
export function parseCpus(text: string): number {
  const match = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)(?:\/(\d+))?$/i.exec(text);
  if (match === null) throw invalid(`failed to parse ${text} as a rational number`);
  const nano = (Number(match[1]) / Number(match[2] ?? 1)) * 1e9;
  if (!Number.isInteger(Number(nano.toFixed(3)))) throw invalid('value is too precise');
  return Math.round(nano);
}

/**
 * Unix seconds with nanoseconds for `--since` and `--until`: a Go duration before now, RFC 3339 (in parts), a date, or
 * unix seconds.
 */
export function parseTimestamp(text: string, now: number = Date.now()): string {
  if (text === '' || /^\d+(\.\d+)?$/.test(text)) return text;
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const zoned = /[zZ]$|[+-]\d{2}:\d{2}$/.test(text);
    const full = text.length === 10 ? `${text}T00:00:00` : text;
    const at = Date.parse(zoned ? full : full.replace(' ', 'T'));
    if (Number.isNaN(at)) throw invalid(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
    return secondsText(at, /\.(\d+)/.exec(text)?.[1]);
  }
  let nanos: number;
  try {
    nanos = parseDuration(text);
  } catch (error) {
    throw new EngineError(
      'invalidArgument',
      `failed to parse value as time or duration: ${JSON.stringify(text)}`,
      { cause: error },
    );
  }
  return secondsText(now - nanos / 1e6, undefined);
}

function secondsText(milliseconds: number, fraction: string | undefined): string {
  const seconds = Math.floor(milliseconds / 1000);
  const nanos = fraction ?? String(Math.floor(milliseconds) % 1000).padStart(3, '0');
  return `${seconds}.${nanos.padEnd(9, '0').slice(0, 9)}`;
}
