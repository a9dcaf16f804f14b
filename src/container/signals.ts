import { constants } from 'node:os';
import { EngineError } from '../errors/index.ts';

/** The real-time signals as glibc counts them. */
const realTimeFirst = 34;
const realTimeLast = 64;
const namedFromEachEnd = 15;

/** Names without SIG; the same on x86 and arm64. */
const numbers: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    Object.entries(constants.signals).map(([name, number]) => [name.slice('SIG'.length), number]),
  ),
  CLD: 17,
  STKFLT: 16,
  ...realTimeSignals(),
};

function realTimeSignals(): Record<string, number> {
  const signals: Record<string, number> = { RTMIN: realTimeFirst, RTMAX: realTimeLast };
  for (let n = 1; n <= namedFromEachEnd; n++) signals[`RTMIN+${n}`] = realTimeFirst + n;
  for (let n = 1; n < namedFromEachEnd; n++) signals[`RTMAX-${n}`] = realTimeLast - n;
  return signals;
}

/** The number of `SIGKILL`, `kill`, `9` or `RTMIN+3`. `invalidArgument` for anything else. */
export function parseSignal(text: string): number {
  const number = /^[0-9]+$/.test(text) ? Number(text) : numbers[text.toUpperCase().replace(/^SIG/, '')];
  if (number === undefined || number < 1 || number > realTimeLast) {
    throw new EngineError('invalidArgument', `invalid signal: ${text}`);
  }
  return number;
}

/** A signal's name without SIG, the number's digits where it has none. */
export function signalName(number: number): string {
  return Object.entries(numbers).find(([, value]) => value === number)?.[0] ?? String(number);
}
