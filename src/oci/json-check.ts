import { EngineError } from '../errors/index.ts';

/** JSON from outside, before anything is known of it. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Parses bytes as one JSON object. `what` names it in the error: `invalid manifest: ...`. */
export function parseJsonObject(bytes: Uint8Array | string, what: string): JsonObject {
  const text = typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new EngineError('invalidArgument', `invalid ${what}: not JSON`, { cause: error });
  }
  return objectOf(value, what);
}

export function objectOf(value: unknown, what: string): JsonObject {
  if (!isObject(value)) throw mismatch(what, 'an object');
  return value;
}

export function arrayOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw mismatch(what, 'an array');
  return value;
}

export function stringOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw mismatch(what, 'a string');
  return value;
}

/** A whole number from 0 that a number holds exactly. */
export function sizeOf(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw mismatch(what, 'a whole number');
  }
  return value;
}

/** The fields of `object` without those that are null, which Go writes for what is not set. */
export function withoutNulls(object: JsonObject): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

export type Checks = Readonly<Record<string, (value: unknown, what: string) => unknown>>;

/**
 * The fields of an object as Go reads them: none that is null, and each that has a check under the name it has there,
 * in whatever case it came; of two the one of exactly that name. Throws unless each passes its check.
 */
export function fieldsOf(value: unknown, what: string, checks: Checks): Record<string, unknown> {
  const object = withoutNulls(objectOf(value, what));
  const names = new Map(Object.keys(checks).map((name) => [name.toLowerCase(), name]));
  const fields = Object.fromEntries(
    Object.entries(object).flatMap(([given, one]) => {
      const name = names.get(given.toLowerCase()) ?? given;
      return name === given || object[name] === undefined ? [[name, one]] : [];
    }),
  );
  checkFields(fields, what, checks);
  return fields;
}

/** Throws unless each field that is there passes its check. */
export function checkFields(object: JsonObject, what: string, checks: Checks): void {
  for (const [field, check] of Object.entries(checks)) {
    const value = object[field];
    if (value !== undefined) check(value, `${what}.${field}`);
  }
}

export function stringsOf(value: unknown, what: string): readonly string[] {
  return arrayOf(value, what).map((one, index) => stringOf(one, `${what}[${index}]`));
}

export function stringMapOf(value: unknown, what: string): Readonly<Record<string, string>> {
  const object = objectOf(value, what);
  for (const [key, one] of Object.entries(object)) stringOf(one, `${what}[${JSON.stringify(key)}]`);
  return object as Record<string, string>;
}

export function booleanOf(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw mismatch(what, 'true or false');
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mismatch(what: string, wanted: string): EngineError {
  return new EngineError('invalidArgument', `invalid ${what}: must be ${wanted}`);
}
