import { readFileSync } from 'node:fs';
import { EngineError, hasErrno, messageOf } from '../errors/index.ts';
import { redacted } from '../lib/http-proxy.ts';
import type { Flag, FlagTable } from './flags.ts';

export const defaultDaemonFile = '/etc/gantry/daemon.json';

/** Directives of Docker's daemon.json whose names are not those of their flags. */
const flagNames = new Map([
  ['data-root', 'root'],
  ['default-runtime', 'runtime'],
  ['hosts', 'host'],
  ['insecure-registries', 'insecure-registry'],
  ['log-opts', 'log-opt'],
  ['registry-mirrors', 'registry-mirror'],
]);

const onlyFlags = new Set(['config-file', 'validate', ...flagNames.values()]);

interface Given<V> {
  readonly values: V;
  /** Names of the flags of the command line. */
  readonly given: ReadonlySet<string>;
}

/**
 * The daemon's settings with those of its configuration file: JSON, with the directives of Docker's daemon.json. An
 * absent file is one that says nothing, unless `path` was asked for. Throws `invalidArgument`, with Docker's words
 * for what no flag knows and for what flags say too.
 */
export function withDaemonFile<V extends object>(
  table: FlagTable,
  { values, given }: Given<V>,
  path: string,
): V {
  try {
    const said = directives(readText(path, given.has('config-file')));
    const unknown = said.filter(([name]) => !isSetting(table, name)).map(([name]) => name);
    if (unknown.length > 0) {
      throw invalid(`the following directives don't match any configuration option: ${unknown.join(', ')}`);
    }
    const merged: Record<string, unknown> = Object.fromEntries(Object.entries(values));
    const twice: string[] = [];
    for (const [directive, value] of said) {
      const name = flagOf(directive);
      if (given.has(name)) {
        const told = /^https?-proxy$/.test(name) ? shownProxy : shown;
        twice.push(`${directive}: (from flag: ${told(merged[name])}, from file: ${told(value)})`);
      } else merged[name] = read(table[name] as Flag, directive, value);
    }
    if (twice.length > 0) {
      throw invalid(
        `the following directives are specified both as a flag and in the configuration file: ${twice.join(', ')}`,
      );
    }
    return merged as V;
  } catch (error) {
    const message = `unable to configure the Gantry daemon with file ${path}: ${messageOf(error)}`;
    throw new EngineError('invalidArgument', message, { cause: error });
  }
}

function readText(path: string, wanted: boolean): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (hasErrno(error, 'ENOENT') && !wanted) return '';
    throw error;
  }
}

/** Name and value of each; what stands in `proxies` counts as if it stood beside it. */
function directives(text: string): [string, unknown][] {
  const file: unknown = text === '' ? {} : JSON.parse(text);
  if (!isObject(file)) throw invalid('it holds no JSON object');
  return Object.entries(file).flatMap(([name, value]) =>
    name === 'proxies' && isObject(value) ? Object.entries(value) : [[name, value] as [string, unknown]],
  );
}

function isSetting(table: FlagTable, directive: string): boolean {
  if (flagNames.has(directive)) return true;
  return directive in table && !onlyFlags.has(directive);
}

function flagOf(directive: string): string {
  return flagNames.get(directive) ?? directive;
}

/** The flag's value as if each text of the directive had been given to the flag. */
function read(flag: Flag, directive: string, value: unknown): unknown {
  try {
    return textsOf(flag, value).reduce<unknown>((before, text) => flag.read(text, before), flag.initial);
  } catch (error) {
    throw new EngineError('invalidArgument', `${directive}: ${messageOf(error)}`, { cause: error });
  }
}

function textsOf(flag: Flag, value: unknown): string[] {
  if (flag.kind === 'list' && Array.isArray(value)) return value.map(textOf);
  if (flag.kind === 'map' && isObject(value)) {
    return Object.entries(value).map(([key, one]) => `${key}=${textOf(one)}`);
  }
  const kinds: Readonly<Record<string, string>> = { '': 'boolean', int: 'number', string: 'string' };
  if (typeof value === kinds[flag.kind]) return [String(value)];
  const wanted = { ...kinds, list: 'list of strings', map: 'object of strings' }[flag.kind];
  throw invalid(`${shown(value)} is no ${wanted}`);
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw invalid(`${shown(value)} is no string`);
  return value;
}

function shown(value: unknown): string {
  return JSON.stringify(value);
}

function shownProxy(value: unknown): string {
  return shown(redacted(String(value)));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(text: string): EngineError {
  return new EngineError('invalidArgument', text);
}
