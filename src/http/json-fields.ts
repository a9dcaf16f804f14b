import { EngineError } from '../errors/index.ts';

/** What a field must be; `command` is an array of strings or, as Docker allows, one string. */
export type Kind = 'string' | 'integer' | 'boolean' | 'command' | ListKind | MapKind | StructKind;
export type Kinds = Readonly<Record<string, Kind>>;
export type Fields = Record<string, unknown>;

interface ListKind {
  readonly listOf: Kind;
}

interface MapKind {
  readonly mapOf: Kind;
}

export interface StructKind {
  /** Its name in Docker, for errors. */
  readonly struct: string;
  readonly fields: Kinds;
  /** The fields that are there even if a client leaves them out. */
  readonly always?: Fields;
}

export const strings: Kind = { listOf: 'string' };
export const labels: Kind = { mapOf: 'string' };

/**
 * The known fields of the right kind, other fields as they are. A null is as if the field were not there. The case of
 * a known name does not matter, as in Go: docker-py sends `detachKeys`. Throws `invalidArgument` in Go's words.
 */
export function readFields(body: Fields, { struct, fields: kinds, always }: StructKind): Fields {
  const fields: Fields = { ...always };
  for (const [given, value] of Object.entries(body)) {
    if (value === null || value === undefined) continue;
    const key = Object.hasOwn(kinds, given) ? given : (knownName(given, kinds) ?? given);
    if (key !== given && key in body) continue;
    const kind = Object.hasOwn(kinds, key) ? kinds[key] : undefined;
    fields[key] = kind === undefined ? value : readValue(value, kind, `${struct}.${key}`);
  }
  return fields;
}

function knownName(given: string, kinds: Kinds): string | undefined {
  const lower = given.toLowerCase();
  return Object.keys(kinds).find((key) => key.toLowerCase() === lower);
}

function readValue(value: unknown, kind: Kind, field: string): unknown {
  if (typeof kind === 'string') {
    if (!isScalar(value, kind)) throw mismatch(value, kind, field);
    return kind === 'command' ? [value].flat() : value;
  }
  if ('listOf' in kind) {
    if (!Array.isArray(value)) throw mismatch(value, kind, field);
    return value.map((item: unknown) => readValue(item ?? nullOf(kind.listOf), kind.listOf, field));
  }
  if (!isObject(value)) throw mismatch(value, kind, field);
  if ('struct' in kind) return readFields(value, kind);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      readValue(item ?? nullOf(kind.mapOf), kind.mapOf, field),
    ]),
  );
}

function isScalar(value: unknown, kind: 'string' | 'integer' | 'boolean' | 'command'): boolean {
  switch (kind) {
    case 'integer':
      return Number.isInteger(value);
    case 'command':
      return [value].flat().every((item) => typeof item === 'string');
    case 'string':
    case 'boolean':
      return typeof value === kind;
  }
}

/** What Go makes of a null in an array or a map. */
function nullOf(kind: Kind): unknown {
  if (typeof kind !== 'string') return 'listOf' in kind ? [] : {};
  return { string: '', integer: 0, boolean: false, command: [] }[kind];
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mismatch(value: unknown, kind: Kind, field: string): EngineError {
  return new EngineError(
    'invalidArgument',
    `invalid JSON: json: cannot unmarshal ${foundName(value)} into Go struct field ${field} of type ${typeName(kind)}`,
  );
}

function foundName(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' && !Number.isInteger(value) ? `number ${value}` : typeof value;
}

function typeName(kind: Kind): string {
  if (typeof kind === 'string') {
    return { string: 'string', integer: 'int64', boolean: 'bool', command: '[]string' }[kind];
  }
  if ('listOf' in kind) return `[]${typeName(kind.listOf)}`;
  return 'mapOf' in kind ? `map[string]${typeName(kind.mapOf)}` : kind.struct;
}
