/**
 * What JSON does not tell of a Go type: how a field is called where the case differs, what it is where JSON leaves it
 * out or says null, and which objects have fields and which have keys.
 */
export type Shape =
  | { readonly kind: 'scalar'; readonly zero: string | number | boolean }
  | { readonly kind: 'pointer' | 'list' | 'map'; readonly of?: Shape }
  | { readonly kind: 'struct'; readonly fields: Readonly<Record<string, Shape>> };

function holding(kind: 'pointer' | 'list' | 'map') {
  return (of?: Shape): Shape => (of === undefined ? { kind } : { kind, of });
}

export const shape = {
  text: { kind: 'scalar', zero: '' },
  number: { kind: 'scalar', zero: 0 },
  flag: { kind: 'scalar', zero: false },
  pointer: holding('pointer'),
  list: holding('list'),
  map: holding('map'),
  /** Fields that JSON always has, by their own name and without more to tell, need not be listed. */
  struct: (fields: Readonly<Record<string, Shape>>): Shape => ({ kind: 'struct', fields }),
} as const;

/** A value with fields and methods: one that it lacks is an error, as in Go. Its JSON is that it was made of. */
export class Struct {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly #json: unknown;

  constructor(fields: Readonly<Record<string, unknown>>, json: unknown = fields) {
    this.fields = fields;
    this.#json = json;
  }

  toJSON(): unknown {
    return this.#json;
  }
}

/** Go's nil slice: empty, and null in JSON. */
class NilList extends Array<never> {
  toJSON(): null {
    return null;
  }
}

/** Go's nil map. */
class NilMap {
  toJSON(): null {
    return null;
  }
}

/** The value as Go's type has it, for a template. */
export function typed(value: unknown, of: Shape | undefined): unknown {
  switch (of?.kind) {
    case undefined:
      return value;
    case 'scalar':
      return value ?? of.zero;
    case 'pointer':
      return value === null || value === undefined ? null : typed(value, of.of);
    case 'list':
      return Array.isArray(value) ? value.map((one) => typed(one, of.of)) : new NilList();
    case 'map':
      if (typeof value !== 'object' || value === null) return new NilMap();
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, typed(one, of.of)]));
    case 'struct':
      return structOf(value ?? {}, of.fields);
  }
}

function structOf(json: object, shapes: Readonly<Record<string, Shape>>): Struct {
  const names = new Map(Object.keys(shapes).map((name) => [name.toLowerCase(), name]));
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    const name = names.get(key.toLowerCase()) ?? key;
    fields[name] = typed(value, shapes[name]);
  }
  for (const [name, one] of Object.entries(shapes)) {
    if (!Object.hasOwn(fields, name)) fields[name] = typed(undefined, one);
  }
  return new Struct(fields, json);
}
