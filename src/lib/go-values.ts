/** A whole number as Go's strconv.Atoi takes it. */
export function parseInteger(text: string): number {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  throw new Error(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
}

const literal = /^([+-]?)(0[xX](?:_?[\da-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?\d)*)$/;

/** A whole number as Go's strconv.ParseInt takes it with base 0: `0x10`, `0b1`, `010` for 8, `1_000`. */
export function parseIntegerLiteral(text: string): number {
  const fail = (reason: string) => new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${reason}`);
  const [, sign = '', digits = ''] = literal.exec(text) ?? [];
  if (digits === '') throw fail('invalid syntax');
  const value = BigInt(digits.replaceAll('_', '').replace(/^0(?=\d)/, '0o'));
  const signed = sign === '-' ? -value : value;
  if (BigInt.asIntN(64, signed) !== signed) throw fail('value out of range');
  return Number(signed);
}

/** As Go's strconv.ParseBool. */
export function parseBoolean(text: string): boolean {
  if (isTrue(text)) return true;
  if (isFalse(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** Whether Go's strconv.ParseBool takes it for true; what is no boolean is not. */
export function isTrue(text: string): boolean {
  return ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text);
}

/** Whether Go's strconv.ParseBool takes it for false; what is no boolean is not. */
export function isFalse(text: string): boolean {
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text);
}
