import { Struct } from './struct.ts';
import { Duration, Time } from './times.ts';

/**
 * What JSON does not tell of a Go type: how a field is called where the case differs, what it is where JSON leaves it
 * out or says null, and which objects have fields and which have keys.
 */
export type Shape = (
  | { readonly kind: 'any' | 'duration' | 'time' }
  | { readonly kind: 'scalar'; readonly zero: string | number | boolean }
  | { readonly kind: 'pointer' | 'list' | 'map'; readonly of: Shape }
  | { readonly kind: 'struct'; readonly fields: Readonly<Record<string, Shape>> }
) & {
  /** The field's name in JSON, where more than the case differs. */
  readonly json?: string;
};

const any: Shape = { kind: 'any' };
const text: Shape = { kind: 'scalar', zero: '' };

export const shape = {
  /** As JSON has it. */
  any,
  text,
  number: { kind: 'scalar', zero: 0 },
  flag: { kind: 'scalar', zero: false },
  /** Nanoseconds. */
  duration: { kind: 'duration' },
  /** A time of RFC 3339. */
  time: { kind: 'time' },
  pointer: (of: Shape = any): Shape => ({ kind: 'pointer', of }),
  list: (of: Shape = any): Shape => ({ kind: 'list', of }),
  map: (of: Shape = text): Shape => ({ kind: 'map', of }),
  /**
   * Fields that JSON always has, by their own name and without more to tell, need not be listed; those that are come
   * first when the struct is printed.
   */
  struct: (fields: Readonly<Record<string, Shape>>): Shape => ({ kind: 'struct', fields }),
  /** A field that JSON has by another name. */
  inJson: (json: string, of: Shape): Shape => ({ ...of, json }),
} as const;

/** Go's nil slice: empty, and null in JSON. */
class NilList extends Array<never> {
  toJSON(): null {
    return null;
  }
}

const elements = Symbol('elements');

/** Go's nil map. */
class NilMap {
  readonly [elements]: Shape;

  constructor(of: Shape) {
    this[elements] = of;
  }

  toJSON(): null {
    return null;
  }
}

/** The value as Go's type has it, for a template. */
export function typed(value: unknown, of: Shape): unknown {
  switch (of.kind) {
    case 'any':
      return value;
    case 'duration':
      return new Duration(Number(value ?? 0));
    case 'time':
      return new Time(typeof value === 'string' ? value : '0001-01-01T00:00:00Z');
    case 'scalar':
      return value ?? of.zero;
    case 'pointer':
      return value === null || value === undefined ? null : typed(value, of.of);
    case 'list':
      return Array.isArray(value) ? value.map((one) => typed(one, of.of)) : new NilList();
    case 'map': {
      if (typeof value !== 'object' || value === null) return new NilMap(of.of);
      const entries = Object.entries(value).map(([key, one]) => [key, typed(one, of.of)] as const);
      return { ...Object.fromEntries<unknown>(entries), [elements]: of.of };
    }
    case 'struct':
      return structOf(value ?? {}, of.fields);
  }
}

/** What a map has under the key; of what it lacks the empty value of its elements, if they are known. */
export function elementOf(map: object, key: string): unknown {
  if (Object.hasOwn(map, key)) return (map as Readonly<Record<string, unknown>>)[key];
  return elements in map ? typed(undefined, map[elements] as Shape) : undefined;
}

function structOf(json: object, shapes: Readonly<Record<string, Shape>>): Struct {
  const unread = new Map(
    Object.entries<unknown>({ ...json }).map(([key, value]) => [key.toLowerCase(), { key, value }]),
  );
  const fields: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(shapes)) {
    const said = (one.json ?? name).toLowerCase();
    fields[name] = typed(unread.get(said)?.value, one);
    unread.delete(said);
  }
  for (const { key, value } of unread.values()) fields[key] = value;
  return new Struct(fields, json);
}
