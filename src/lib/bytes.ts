import { EngineError } from '../errors/index.ts';

const steps: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5 };

/**
 * Bytes of a size as Docker's options take it: `10m`, `1.5 GB`, `512KiB`; the base of units is 1000 or 1024. Throws
 * `invalidArgument` with Go's words. [docker/go-units size.go]
 */
export function parseBytes(text: string, base: 1000 | 1024): number {
  const last = Math.max(...[...'0123456789. '].map((character) => text.lastIndexOf(character)));
  if (last === -1) throw invalid(`invalid size: '${text}'`);
  const digits = text.slice(0, text[last] === ' ' ? last : last + 1);
  const suffix = text.slice(last + 1);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)$/.test(digits)) {
    throw invalid(`strconv.ParseFloat: parsing ${JSON.stringify(digits)}: invalid syntax`);
  }
  const size = Number(digits);
  if (size < 0) throw invalid(`invalid size: '${text}'`);
  const unit = suffix.toLowerCase();
  if (unit === '' || unit === 'b') return Math.trunc(size);
  const step = steps[/^([kmgtp])(?:b|ib)?$/.exec(unit)?.[1] ?? ''];
  if (step === undefined) throw invalid(`invalid suffix: '${unit.length > 3 ? suffix : unit}'`);
  return Math.trunc(size * base ** step);
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}
