import { EngineError, messageOf } from '../errors/index.ts';
import { parseBoolean, parseIntegerLiteral } from '../lib/go-values.ts';

/** One flag of a command, as Go's pflag knows it. `T` is the type of its value. */
export interface Flag<T = unknown> {
  readonly short?: string;
  /** Older names that still work; the help does not show them. */
  readonly aliases?: readonly string[];
  /** The word in the help text: string, list, bytes, … */
  readonly kind: string;
  readonly usage: string;
  readonly initial: T;
  /** Shown in the help as `(default …)`. */
  readonly shownDefault?: string;
  /** What the flag means when it stands alone; without it a value must follow. */
  readonly alone?: string;
  /** Left out of the help. */
  readonly hidden?: boolean;
  /** The new value after one use of the flag. Throws `invalidArgument` with the reason only. */
  read(text: string, previous: T): T;
}

// biome-ignore lint: a table of flags holds flags of every value type
export type FlagTable = Readonly<Record<string, Flag<never> | Flag>>;

export type ValuesOf<F> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

export interface ParsedFlags<F> {
  readonly values: ValuesOf<F>;
  /** Names of the flags that were given. */
  readonly given: ReadonlySet<string>;
  readonly args: readonly string[];
  readonly help: boolean;
}

interface FlagOptions<T> {
  readonly short?: string;
  readonly aliases?: readonly string[];
  readonly initial?: T;
  readonly kind?: string;
  readonly shownDefault?: string;
  readonly hidden?: boolean;
}

function flag<T>(
  kind: string,
  usage: string,
  options: FlagOptions<T> & { readonly initial: T; readonly alone?: string },
  read: Flag<T>['read'],
): Flag<T> {
  return { kind, usage, ...options, ...(options.kind === undefined ? {} : { kind: options.kind }), read };
}

/** `--flag`, `--flag=false`; the words are those of Go's strconv.ParseBool. */
export function bool(usage: string, options: FlagOptions<boolean> = {}): Flag<boolean> {
  const initial = options.initial ?? false;
  const shown = initial ? { shownDefault: 'true' } : {};
  return flag('', usage, { ...shown, ...options, initial, alone: 'true' }, readBy(parseBoolean));
}

export function text(usage: string, options: FlagOptions<string> = {}): Flag<string> {
  const shown = options.initial === undefined ? {} : { shownDefault: JSON.stringify(options.initial) };
  return flag('string', usage, { ...shown, initial: '', ...options }, (value) => value);
}

/** A flag that may be given many times. */
export function list(usage: string, options: FlagOptions<readonly string[]> = {}): Flag<readonly string[]> {
  return flag('list', usage, { initial: [], ...options }, (value, previous) => [...previous, value]);
}

/** Like `list`, each use may also hold several values split at commas. */
export function strings(
  usage: string,
  options: FlagOptions<readonly string[]> = {},
): Flag<readonly string[]> {
  return flag('strings', usage, { initial: [], ...options }, (value, previous) => [
    ...previous,
    ...(value === '' ? [] : value.split(',')),
  ]);
}

export function int(usage: string, options: FlagOptions<number> = {}): Flag<number> {
  const shown = options.initial === undefined ? {} : { shownDefault: String(options.initial) };
  return flag('int', usage, { ...shown, initial: 0, ...options }, readBy(parseIntegerLiteral));
}

/** A flag whose text a function of its own reads. */
export function parsed<T>(
  kind: string,
  usage: string,
  options: FlagOptions<T> & { readonly initial: T; readonly read: Flag<T>['read'] },
): Flag<T> {
  const { read, ...rest } = options;
  return flag(kind, usage, rest, read);
}

/** What Go cannot read is the fault of who typed it. */
function readBy<T>(parse: (text: string) => T): Flag<T>['read'] {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw bad(messageOf(error));
    }
  };
}

function bad(reason: string): EngineError {
  return new EngineError('invalidArgument', reason);
}

/**
 * Reads a command line by pflag's rules: `--flag value`, `--flag=value`, `-f value`, `-fvalue`, `-abc` for several
 * booleans, `--` ends the flags. With `interspersed` false the first word that is no flag ends them too, as in
 * `run [OPTIONS] IMAGE [COMMAND] [ARG...]`. Throws `invalidArgument` with Docker's text.
 */
export function parseFlags<F extends FlagTable>(
  table: F,
  argv: readonly string[],
  options: { readonly interspersed?: boolean } = {},
): ParsedFlags<F> {
  const values: Record<string, unknown> = {};
  const shorts = new Map<string, string>();
  const longs = new Map<string, string>();
  for (const [name, one] of Object.entries(table)) {
    values[name] = one.initial;
    for (const long of [name, ...(one.aliases ?? [])]) longs.set(long, name);
    if (one.short !== undefined) shorts.set(one.short, name);
  }
  const given = new Set<string>();
  const args: string[] = [];
  let help = false;

  const set = (name: string, value: string, said = name) => {
    const one = table[name] as Flag;
    try {
      values[name] = one.read(value, values[name]);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const shown = one.short === undefined ? `--${said}` : `-${one.short}, --${name}`;
      const message = `invalid argument ${JSON.stringify(value)} for "${shown}" flag: ${error.message}`;
      throw new EngineError('invalidArgument', message, { cause: error });
    }
    given.add(name);
  };

  let index = 0;
  const next = (needed: string): string => {
    const value = argv[++index];
    if (value === undefined) throw bad(`flag needs an argument: ${needed}`);
    return value;
  };

  const readLong = (word: string) => {
    const equals = word.indexOf('=');
    const said = word.slice(2, equals === -1 ? undefined : equals);
    if (said === 'help' && !('help' in table && given.has('help'))) {
      help = true;
      return;
    }
    const name = longs.get(said);
    if (name === undefined) throw bad(`unknown flag: --${said}`);
    if (equals !== -1) set(name, word.slice(equals + 1), said);
    else set(name, table[name]?.alone ?? next(`--${said}`), said);
  };

  const readShort = (word: string) => {
    for (let at = 1; at < word.length; at++) {
      const letter = word.charAt(at);
      const name = shorts.get(letter);
      if (name === undefined) {
        if (letter === 'h') {
          help = true;
          return;
        }
        throw bad(`unknown shorthand flag: '${letter}' in ${at === 1 ? word : `-${word.slice(at)}`}`);
      }
      const one = table[name] as Flag;
      // An equals sign with nothing after it is the value itself.
      if (word.charAt(at + 1) === '=' && at + 2 < word.length) {
        set(name, word.slice(at + 2));
        return;
      }
      if (one.alone !== undefined) {
        set(name, one.alone);
        continue;
      }
      set(name, at + 1 < word.length ? word.slice(at + 1) : next(`'${letter}' in ${word}`));
      return;
    }
  };

  for (; index < argv.length; index++) {
    const word = argv[index] as string;
    if (word === '--') {
      args.push(...argv.slice(index + 1));
      break;
    }
    if (word.startsWith('--')) readLong(word);
    else if (word.startsWith('-') && word !== '-') readShort(word);
    else {
      if (options.interspersed === false) {
        args.push(...argv.slice(index));
        break;
      }
      args.push(word);
    }
  }
  return { values: values as ValuesOf<F>, given, args, help };
}
