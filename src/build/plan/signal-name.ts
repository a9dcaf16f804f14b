import { constants } from 'node:os';
import { EngineError } from '../../errors/index.ts';

const largest = 64;

/** Checks STOPSIGNAL's word: a number from 1 to 64, or a name with or without SIG. Throws `invalidArgument`. */
export function checkSignal(word: string): void {
  if (/^\d+$/.test(word)) {
    const number = Number(word);
    if (number >= 1 && number <= largest) return;
  }
  const name = word.toUpperCase().replace(/^SIG/, '');
  if (
    `SIG${name}` in constants.signals ||
    /^RTM(?:IN(?:\+(?:\d|1[0-5]))?|AX(?:-(?:\d|1[0-4]))?)$/.test(name)
  ) {
    return;
  }
  throw new EngineError('invalidArgument', `invalid signal: ${word}`);
}
