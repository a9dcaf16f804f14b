import { posix } from 'node:path';
import { EngineError } from '../errors/index.ts';
import { parseDuration } from '../lib/duration.ts';
import type { Healthcheck, RunConfig } from '../oci/index.ts';
import { parseFlags, splitWords } from './change-words.ts';

/** `hasCmd`: one of the changes before was a CMD. */
type Change = (config: RunConfig, rest: string, hasCmd: boolean) => RunConfig;

/**
 * Applies `--change` lines of commit and import (`CMD ["sh"]`, `ENV A=b`) to a config, in order.
 * Throws `invalidArgument` for another instruction, or for one without its arguments.
 */
export function applyChanges(config: RunConfig, lines: readonly string[]): RunConfig {
  let hasCmd = false;
  let changed = config;
  for (const line of lines.flatMap((text) => text.split('\n')).map((text) => text.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', rest = ''] = /^(\S+)\s*([^]*)$/.exec(line) ?? [];
    const instruction = name.toUpperCase();
    changed = changeOf(instruction, rest)(changed, rest, hasCmd);
    hasCmd ||= instruction === 'CMD';
  }
  return changed;
}

const changes: Readonly<Record<string, Change>> = {
  CMD: (config, rest) => ({ ...config, Cmd: commandOf(rest) }),
  ENTRYPOINT: (config, rest, hasCmd) => {
    const Entrypoint = commandOf(rest);
    // The command that was there was for what was run before; with none at all it is run itself.
    return { ...config, Entrypoint, ...(hasCmd || Entrypoint.length === 0 ? {} : { Cmd: null }) };
  },
  ENV: (config, rest) => {
    const env = new Map((config.Env ?? []).map((entry) => [entry.split('=', 1)[0] ?? '', entry]));
    for (const [key, value] of pairsOf('ENV', rest, config)) env.set(key, `${key}=${value}`);
    return { ...config, Env: [...env.values()] };
  },
  EXPOSE: (config, rest) => {
    const ports = splitWords(rest, envOf(config)).flatMap(portsOf);
    return { ...config, ExposedPorts: { ...config.ExposedPorts, ...keysOf(ports) } };
  },
  HEALTHCHECK: (config, rest) => ({ ...config, Healthcheck: healthcheckOf(rest) }),
  LABEL: (config, rest) => ({
    ...config,
    Labels: { ...config.Labels, ...Object.fromEntries(pairsOf('LABEL', rest, config)) },
  }),
  ONBUILD: (config, rest) => {
    const trigger = (rest.split(/\s/, 1)[0] ?? '').toUpperCase();
    if (trigger === 'ONBUILD') throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === 'FROM' || trigger === 'MAINTAINER') {
      throw invalid(`${trigger} isn't allowed as an ONBUILD trigger`);
    }
    return { ...config, OnBuild: [...(config.OnBuild ?? []), rest] };
  },
  STOPSIGNAL: (config, rest) => ({ ...config, StopSignal: oneWord('STOPSIGNAL', rest, config) }),
  USER: (config, rest) => ({ ...config, User: oneWord('USER', rest, config) }),
  VOLUME: (config, rest) => {
    const paths = jsonWords(rest) ?? splitWords(rest, envOf(config));
    if (paths.some((path) => path.trim() === ''))
      throw invalid('VOLUME specified can not be an empty string');
    return { ...config, Volumes: { ...config.Volumes, ...keysOf(paths) } };
  },
  WORKDIR: (config, rest) => ({
    ...config,
    WorkingDir: posix.resolve('/', config.WorkingDir ?? '/', oneWord('WORKDIR', rest, config)),
  }),
};

function changeOf(instruction: string, rest: string): Change {
  const change = Object.hasOwn(changes, instruction) ? changes[instruction] : undefined;
  if (change === undefined) throw invalid(`${instruction} is not a valid change command`);
  if (rest === '' && instruction !== 'CMD' && instruction !== 'ENTRYPOINT') {
    throw invalid(`${instruction} requires at least one argument`);
  }
  return change;
}

/** JSON form as it is; anything else for a shell. */
function commandOf(text: string): string[] {
  const words = jsonWords(text);
  if (words !== undefined) return words;
  return text === '' ? [] : ['/bin/sh', '-c', text];
}

function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) && words.every((word) => typeof word === 'string') ? words : undefined;
  } catch (error) {
    // Docker takes what does not parse as a shell command that begins with a bracket.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** `A=b C="d e"`, or the old `A b c` for one. */
function pairsOf(instruction: string, rest: string, config: RunConfig): [string, string][] {
  const env = envOf(config);
  const [first = ''] = rest.split(/\s/, 1);
  if (!first.includes('=')) {
    const value = rest.slice(first.length).trim();
    if (value === '') throw invalid(`${instruction} must have two arguments`);
    return [[first, splitWords(value, env, { whole: true })[0] ?? '']];
  }
  return splitWords(rest, env).map((word) => {
    const at = word.indexOf('=');
    if (at < 0)
      throw invalid(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    if (at === 0) throw invalid(`${instruction} names can not be blank`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

function portsOf(text: string): string[] {
  const [, first = '', last = first, protocol = 'tcp'] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === '' || from > to || from < 1 || to > 65_535) throw invalid(`invalid containerPort: ${text}`);
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol.toLowerCase()}`);
}

function healthcheckOf(rest: string): Healthcheck {
  if (rest.toUpperCase() === 'NONE') return { Test: ['NONE'] };
  const { flags, rest: command } = parseFlags(rest, [
    'interval',
    'timeout',
    'start-period',
    'start-interval',
    'retries',
  ]);
  const [, word = '', test = ''] = /^(\S+)\s*([^]*)$/.exec(command) ?? [];
  if (word.toUpperCase() !== 'CMD')
    throw invalid(`Unknown type ${JSON.stringify(word)} in HEALTHCHECK (try CMD)`);
  if (test === '') throw invalid('Missing command after HEALTHCHECK CMD');
  const words = jsonWords(test);
  const duration = (flag: string) => {
    const value = flags.get(flag);
    return value === undefined ? undefined : parseDuration(value);
  };
  const retries = flags.get('retries');
  if (retries !== undefined && !/^\d+$/.test(retries))
    throw invalid(`--retries must be at least 0 (not ${retries})`);
  const fields = {
    Interval: duration('interval'),
    Timeout: duration('timeout'),
    StartPeriod: duration('start-period'),
    StartInterval: duration('start-interval'),
    Retries: retries === undefined ? undefined : Number(retries),
  };
  const set = Object.entries(fields).filter(([, value]) => value !== undefined);
  return { Test: words === undefined ? ['CMD-SHELL', test] : ['CMD', ...words], ...Object.fromEntries(set) };
}

function oneWord(instruction: string, rest: string, config: RunConfig): string {
  const [word, ...more] = splitWords(rest, envOf(config), { whole: instruction === 'WORKDIR' });
  if (word === undefined || word === '' || more.length > 0) {
    throw invalid(`${instruction} requires exactly one argument`);
  }
  return word;
}

function envOf(config: RunConfig): ReadonlyMap<string, string> {
  return new Map(
    (config.Env ?? []).map((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

function keysOf(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}
