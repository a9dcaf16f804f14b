/** A whole number as Go's strconv.Atoi takes it. */
export function parseInteger(text: string): number {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  throw new Error(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
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
