import { EngineError } from '../../errors/index.ts';

/** Fields of one CSV line: `a=1,"b=x,y"`. A quote inside a quoted field is doubled. Throws `invalidArgument`. */
export function parseCsvLine(line: string): string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(?:,|$)/y;
  let ended = false;
  while (!ended) {
    const start = field.lastIndex;
    const match = field.exec(line);
    if (match === null) {
      throw new EngineError(
        'invalidArgument',
        `parse error on line 1, column ${start + 1}: bare " in non-quoted-field`,
      );
    }
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    ended = !match[0].endsWith(',') || match[0] === '';
    if (!ended && field.lastIndex === line.length) {
      fields.push('');
      ended = true;
    }
  }
  return fields;
}
