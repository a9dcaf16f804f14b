import { EngineError } from '../errors/index.ts';
import { parseDuration } from '../lib/duration.ts';
import { bool, type Flag, parsed, text } from './flags.ts';
import { parseSize, parseSwapSize } from './sizes.ts';

interface Options {
  readonly short?: string;
  readonly hidden?: boolean;
}

const formatHelp = `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`;

/** `--format` of a list. */
export function tableFormat(): Flag<string> {
  return text(formatHelp);
}

/** `--format` of one object. */
export function objectFormat(options: Options = {}): Flag<string> {
  return text(formatHelp.split('\n').toSpliced(1, 2).join('\n'), options);
}

/** Bytes with a unit: `512m`. */
export function bytes(usage: string, options: Options = {}): Flag<number> {
  return parsed('bytes', usage, { ...options, initial: 0, read: parseSize });
}

/** Bytes with a unit, or -1. */
export function swapBytes(usage: string): Flag<number> {
  return parsed('bytes', usage, { initial: 0, read: parseSwapSize });
}

/** Nanoseconds of a Go duration. */
export function duration(usage: string): Flag<number> {
  return parsed('duration', usage, { initial: 0, shownDefault: '0s', read: parseDuration });
}

/** `key=value`, many times. */
export function map(
  usage: string,
  options: Options & { readonly check?: (pair: string) => void } = {},
): Flag<Readonly<Record<string, string>>> {
  const { check, ...rest } = options;
  return parsed('map', usage, {
    ...rest,
    initial: {},
    shownDefault: 'map[]',
    read: (pair: string, previous: Readonly<Record<string, string>>) => {
      check?.(pair);
      const equals = pair.indexOf('=');
      return equals === -1
        ? { ...previous, [pair]: '' }
        : { ...previous, [pair.slice(0, equals)]: pair.slice(equals + 1) };
    },
  });
}

/** `--filter key=value`, many times. */
export function filter(
  usage: string,
  options: Options = {},
): Flag<Readonly<Record<string, readonly string[]>>> {
  return parsed('filter', usage, {
    ...options,
    initial: {},
    read: (pair: string, previous: Readonly<Record<string, readonly string[]>>) => {
      const equals = pair.indexOf('=');
      if (equals === -1) {
        throw new EngineError('invalidArgument', 'bad format of filter (expected name=value)');
      }
      const key = pair.slice(0, equals).trim().toLowerCase();
      return { ...previous, [key]: [...(previous[key] ?? []), pair.slice(equals + 1).trim()] };
    },
  });
}

/** `--disable-content-trust`: signatures of images are not known here, and who wants them must not go without. */
export function contentTrust(usage: string): Flag<boolean> {
  const flag = bool(usage, { initial: true });
  return {
    ...flag,
    read: (value, previous) => {
      const isDisabled = flag.read(value, previous);
      if (!isDisabled) throw new EngineError('invalidArgument', 'content trust is not supported');
      return isDisabled;
    },
  };
}

/** A list whose values are checked (and maybe rewritten) as they are read. */
export function checkedList(
  kind: string,
  usage: string,
  options: Options & { readonly shownDefault?: string; readonly check: (value: string) => string },
): Flag<readonly string[]> {
  const { check, ...rest } = options;
  return parsed(kind, usage, {
    ...rest,
    initial: [],
    read: (value: string, previous: readonly string[]) => [...previous, check(value)],
  });
}
