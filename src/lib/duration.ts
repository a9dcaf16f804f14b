import { EngineError } from '../errors/index.ts';

const nanosOf: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds of a Go duration: `1m30s`, `500ms`, `0`. Throws `invalidArgument` with Go's text. */
export function parseDuration(text: string): number {
  const quoted = JSON.stringify(text);
  const match = /^([+-]?)(.+)$/.exec(text);
  if (match === null) throw invalid(`time: invalid duration ${quoted}`);
  const [, sign, rest] = match as unknown as [string, string, string];
  if (rest === '0') return 0;
  let total = 0;
  let at = 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)([a-zµμ]*)/y;
  while (at < rest.length) {
    part.lastIndex = at;
    const found = part.exec(rest);
    if (found === null) throw invalid(`time: invalid duration ${quoted}`);
    const [whole, amount, unit] = found as unknown as [string, string, string];
    if (unit === '') throw invalid(`time: missing unit in duration ${quoted}`);
    const nanos = nanosOf[unit];
    if (nanos === undefined)
      throw invalid(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    total += Number(amount) * nanos;
    at += whole.length;
  }
  return Math.round(sign === '-' ? -total : total);
}

/** As Go prints durations: `1m30s`, `500ms`, `1.5s`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  const [sign, size] = nanoseconds < 0 ? ['-', -nanoseconds] : ['', nanoseconds];
  if (size === 0) return '0s';
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${size / 1e3}µs`;
  if (size < 1e9) return `${sign}${size / 1e6}ms`;
  const [hours, minutes] = [Math.floor(size / 3600e9), Math.floor(size / 60e9)];
  return `${sign}${hours > 0 ? `${hours}h` : ''}${minutes > 0 ? `${minutes % 60}m` : ''}${(size % 60e9) / 1e9}s`;
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}
