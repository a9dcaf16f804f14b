import { EngineError } from '../../errors/index.ts';

/** A mode as `--chmod` gives it, applied to a file that has one already. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const symbolic = /^([ugoa]*)([-+=])([rwxXst]*)$/;

/** Parses `755`, `u=rwX,go=rX`. Throws `invalidArgument`. */
export function parseMode(text: string): ModeChange {
  if (/^[0-7]{1,4}$/.test(text)) {
    const fixed = Number.parseInt(text, 8);
    return () => fixed;
  }
  const clauses = text.split(',').map((clause) => {
    const [, who = '', operator = '', bits = ''] = symbolic.exec(clause) ?? [];
    if (operator === '') {
      throw new EngineError(
        'invalidArgument',
        `invalid chmod parameter: '${text}'. it should be octal or symbolic`,
      );
    }
    return { who: who === '' || who.includes('a') ? 'ugo' : who, operator, bits };
  });
  return (mode, isDirectory) =>
    clauses.reduce((current, { who, operator, bits }) => {
      const executable = isDirectory || (current & 0o111) !== 0;
      const wanted = maskOf(who, bits, executable);
      if (operator === '+') return current | wanted;
      if (operator === '-') return current & ~wanted;
      return (current & ~maskOf(who, 'rwxst', true)) | wanted;
    }, mode);
}

function maskOf(who: string, bits: string, executable: boolean): number {
  let mask = 0;
  for (const [name, shift] of [
    ['u', 6],
    ['g', 3],
    ['o', 0],
  ] as const) {
    if (!who.includes(name)) continue;
    if (bits.includes('r')) mask |= 4 << shift;
    if (bits.includes('w')) mask |= 2 << shift;
    if (bits.includes('x') || (bits.includes('X') && executable)) mask |= 1 << shift;
    if (bits.includes('s') && name !== 'o') mask |= name === 'u' ? 0o4000 : 0o2000;
    if (bits.includes('t') && name === 'o') mask |= 0o1000;
  }
  return mask;
}
