import { splitWords } from './words.ts';

export interface Arguments {
  readonly args: readonly string[];
  readonly json: boolean;
}

/** How each instruction's argument text becomes words. Unknown instructions have no arguments. */
type Form = (rest: string, escape: string) => Arguments;

const forms: Readonly<Record<string, Form>> = {
  add: jsonOrList,
  arg: (rest, escape) => plain(splitWords(rest, escape)),
  cmd: jsonOrText,
  copy: jsonOrList,
  entrypoint: jsonOrText,
  env: (rest, escape) => plain(pairs('ENV', rest, escape)),
  expose: list,
  from: list,
  healthcheck: health,
  label: (rest, escape) => plain(pairs('LABEL', rest, escape)),
  maintainer: text,
  run: jsonOrText,
  shell: jsonOrText,
  stopsignal: text,
  user: text,
  volume: jsonOrList,
  workdir: text,
};

/** Throws an Error that says what is wrong with the text. */
export function parseArguments(name: string, rest: string, escape: string): Arguments {
  return forms[name]?.(rest, escape) ?? plain([]);
}

function plain(args: readonly string[]): Arguments {
  return { args, json: false };
}

function text(rest: string): Arguments {
  return plain(rest === '' ? [] : [rest]);
}

function list(rest: string): Arguments {
  return plain(rest === '' ? [] : rest.split(/\s+/));
}

function jsonOrText(rest: string): Arguments {
  return jsonArray(rest) ?? text(rest);
}

function jsonOrList(rest: string): Arguments {
  return jsonArray(rest) ?? list(rest);
}

function health(rest: string): Arguments {
  const [, kind = '', command = ''] = /^(\S*)\s*([^]*)$/.exec(rest) ?? [];
  if (kind === '') return plain([]);
  const { args, json } = jsonOrText(command);
  return { args: [kind, ...args], json };
}

/** `undefined` for text that is no JSON array; an array of anything but strings is an error. */
function jsonArray(rest: string): Arguments | undefined {
  if (!rest.startsWith('[')) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(rest);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!Array.isArray(parsed)) return undefined;
  if (!parsed.every((one) => typeof one === 'string')) {
    throw new Error('when using JSON array syntax, arrays must be comprised of strings only');
  }
  return { args: parsed, json: true };
}

function pairs(instruction: string, rest: string, escape: string): string[] {
  const words = splitWords(rest, escape);
  const [first] = words;
  if (first === undefined) return [];
  if (!first.includes('=')) {
    const [, key, value] = /^(\S+)\s+([^]+)$/.exec(rest) ?? [];
    if (key === undefined || value === undefined) throw new Error(`${instruction} must have two arguments`);
    return [key, value, ''];
  }
  return words.flatMap((word) => {
    const equals = word.indexOf('=');
    if (equals === -1) {
      throw new Error(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    }
    return [word.slice(0, equals), word.slice(equals + 1), '='];
  });
}
