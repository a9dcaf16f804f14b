import { didYouMean } from './suggest.ts';

export type FlagKind = 'string' | 'boolean' | 'list';

/** An instruction's flags by name, checked against the ones it knows. */
export class Flags {
  readonly #values = new Map<string, string[]>();

  /** Throws an Error that names the flag that is unknown, repeated or without a good value. */
  constructor(written: readonly string[], known: Readonly<Record<string, FlagKind>>) {
    for (const flag of written) {
      const equals = flag.indexOf('=');
      const name = flag.slice(2, equals === -1 ? undefined : equals);
      const kind = known[name];
      if (kind === undefined)
        throw new Error(`unknown flag: --${name}${didYouMean(name, Object.keys(known))}`);
      if (equals === -1 && kind !== 'boolean') throw new Error(`missing a value on flag: --${name}`);
      const value = equals === -1 ? 'true' : flag.slice(equals + 1);
      if (kind === 'boolean' && !/^(?:true|false)$/i.test(value)) {
        throw new Error(`expecting boolean value for flag --${name}, not: ${value}`);
      }
      const values = this.#values.get(name) ?? [];
      if (kind !== 'list' && values.length > 0) throw new Error(`duplicate flag specified: --${name}`);
      this.#values.set(name, [...values, value]);
    }
  }

  /** `{ [as]: value }`, or nothing when the flag was not given. */
  optional<Key extends string>(name: string, as: Key): { readonly [K in Key]?: string } {
    const value = this.#values.get(name)?.[0];
    return (value === undefined || value === '' ? {} : { [as]: value }) as { readonly [K in Key]?: string };
  }

  boolean(name: string): boolean | undefined {
    const value = this.#values.get(name)?.[0];
    return value === undefined ? undefined : value.toLowerCase() === 'true';
  }

  text(name: string): string {
    return this.#values.get(name)?.[0] ?? '';
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}
