import { posix } from 'node:path';
import { EngineError, messageOf } from '../../errors/index.ts';
import type { Healthcheck, RunConfig } from '../../oci/index.ts';
import type {
  ArgInstruction,
  Command,
  CopyInstruction,
  HealthcheckInstruction,
  KeyValue,
  RunInstruction,
  StageInstruction,
} from '../instructions/instruction.ts';
import { heredocText } from '../parser/ast.ts';
import { parseError } from '../parser/parse-error.ts';
import type { BuildArgs } from './build-args.ts';
import { exposedPorts } from './ports.ts';
import { checkSignal } from './signal-name.ts';
import { Expander, type StageState, shellOf } from './stage-state.ts';

export interface Scope {
  readonly escape: string;
  readonly buildArgs: BuildArgs;
  readonly globalValues: ReadonlyMap<string, string>;
  /** Proxy arguments of the request: RUN sees them without any ARG. */
  readonly predefined: ReadonlyMap<string, string>;
}

/** An inline file of COPY. */
export interface InlineFile {
  readonly name: string;
  readonly content: string;
}

/** What an instruction asks the solver to do, besides the new state. */
export type Effect =
  /** Only the config changes. `comment` is how history tells it. */
  | { readonly kind: 'config'; readonly comment: string }
  /** A directory has to be there. */
  | { readonly kind: 'workdir'; readonly path: string; readonly comment: string }
  | {
      readonly kind: 'run';
      readonly args: readonly string[];
      readonly env: readonly string[];
      /** Declared build arguments, `K=V`: part of the key and of history. */
      readonly buildArgs: readonly string[];
    }
  | {
      readonly kind: 'copy';
      readonly instruction: CopyInstruction;
      readonly sources: readonly string[];
      readonly files: readonly InlineFile[];
      /** Absolute; a trailing slash says it is a directory. */
      readonly destination: string;
      readonly chown?: string;
      readonly chmod?: string;
      /** What a download has to have. */
      readonly checksum?: string;
    };

export interface Applied {
  readonly state: StageState;
  readonly effect: Effect;
}

/** Pure: what an instruction does to a stage. Throws `invalidArgument` with the instruction's line. */
export function applyInstruction(state: StageState, instruction: StageInstruction, scope: Scope): Applied {
  try {
    return apply(state, instruction, scope);
  } catch (error) {
    const { line, text } = instruction.source;
    if (error instanceof EngineError) throw error;
    throw parseError(line, `failed to process ${JSON.stringify(text)}: ${messageOf(error)}`, error);
  }
}

function apply(state: StageState, instruction: StageInstruction, scope: Scope): Applied {
  const expand = new Expander(state, scope.escape);
  const changed = (config: RunConfig, comment: string): Applied => ({
    state: { ...state, config: { ...state.config, ...config } },
    effect: { kind: 'config', comment },
  });
  switch (instruction.kind) {
    case 'arg':
      return applyArg(state, instruction, scope);
    case 'cmd': {
      const Cmd = wordsOf(state, instruction.command);
      const { state: next, effect } = changed({ Cmd }, `CMD ${goQuoted(Cmd)}`);
      return { state: { ...next, hasCmd: true }, effect };
    }
    case 'entrypoint': {
      const words = wordsOf(state, instruction.command);
      const Entrypoint = words.length === 0 ? null : words;
      return changed(
        state.hasCmd ? { Entrypoint } : { Entrypoint, Cmd: null },
        `ENTRYPOINT ${goQuoted(words)}`,
      );
    }
    case 'env': {
      const pairs = expandPairs(instruction.pairs, expand);
      return changed({ Env: withEnv(state.config.Env ?? [], pairs) }, `ENV ${pairsText(pairs)}`);
    }
    case 'label': {
      const pairs = expandPairs(instruction.pairs, expand);
      const labels = Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
      return changed({ Labels: { ...state.config.Labels, ...labels } }, `LABEL ${pairsText(pairs)}`);
    }
    case 'expose': {
      const ports = [...new Set(expand.words(instruction.ports).flatMap(exposedPorts))];
      const added = Object.fromEntries(ports.map((port) => [port, {}]));
      return changed(
        { ExposedPorts: { ...state.config.ExposedPorts, ...added } },
        `EXPOSE ${ports.join(' ')}`,
      );
    }
    case 'volume': {
      const paths = instruction.paths.map((path) => expand.word(path));
      if (paths.includes('')) throw new Error('VOLUME specified can not be an empty string');
      const added = Object.fromEntries(paths.map((path) => [path, {}]));
      return changed({ Volumes: { ...state.config.Volumes, ...added } }, `VOLUME [${paths.join(' ')}]`);
    }
    case 'shell':
      return changed({ Shell: instruction.shell }, `SHELL [${instruction.shell.join(' ')}]`);
    case 'onbuild':
      return changed(
        { OnBuild: [...(state.config.OnBuild ?? []), instruction.trigger] },
        `ONBUILD ${instruction.trigger}`,
      );
    case 'maintainer': {
      const effect = { kind: 'config', comment: `MAINTAINER ${instruction.value}` } as const;
      return { state: { ...state, author: instruction.value }, effect };
    }
    case 'user': {
      const User = expand.word(instruction.value);
      return changed({ User }, `USER ${User}`);
    }
    case 'stopsignal': {
      const StopSignal = expand.word(instruction.value);
      checkSignal(StopSignal);
      return changed({ StopSignal }, `STOPSIGNAL ${StopSignal}`);
    }
    case 'healthcheck':
      return changed(
        { Healthcheck: healthcheckOf(instruction) },
        `HEALTHCHECK ${instruction.source.text.replace(/^\S+\s+/, '')}`,
      );
    case 'workdir': {
      const path = workdirOf(state, expand.word(instruction.value));
      return {
        state: { ...state, config: { ...state.config, WorkingDir: path } },
        effect: { kind: 'workdir', path, comment: `WORKDIR ${path}` },
      };
    }
    case 'run':
      return { state, effect: runEffect(state, instruction, scope) };
    case 'copy':
    case 'add':
      return { state, effect: copyEffect(state, instruction, expand) };
  }
}

function applyArg(state: StageState, { args }: ArgInstruction, scope: Scope): Applied {
  const values = new Map(state.args);
  const told: string[] = [];
  for (const { key, value } of args) {
    const own =
      value === undefined ? undefined : new Expander({ ...state, args: values }, scope.escape).word(value);
    values.set(key, scope.buildArgs[key] ?? own ?? scope.globalValues.get(key) ?? values.get(key));
    told.push(own === undefined ? key : `${key}=${own}`);
  }
  return { state: { ...state, args: values }, effect: { kind: 'config', comment: `ARG ${told.join(' ')}` } };
}

function wordsOf(state: StageState, command: Command): readonly string[] {
  return command.shell && command.args.length > 0 ? [...shellOf(state), ...command.args] : command.args;
}

function expandPairs(pairs: readonly KeyValue[], expand: Expander): KeyValue[] {
  return pairs.map(({ key, value }) => ({ key: expand.word(key), value: expand.word(value) }));
}

function pairsText(pairs: readonly KeyValue[]): string {
  return pairs.map(({ key, value }) => `${key}=${value}`).join(' ');
}

function withEnv(env: readonly string[], pairs: readonly KeyValue[]): string[] {
  const result = [...env];
  for (const { key, value } of pairs) {
    const at = result.findIndex((entry) => entry.startsWith(`${key}=`));
    if (at === -1) result.push(`${key}=${value}`);
    else result[at] = `${key}=${value}`;
  }
  return result;
}

function healthcheckOf(instruction: HealthcheckInstruction): Healthcheck {
  const { test, interval, timeout, startPeriod, startInterval, retries } = instruction;
  return {
    Test: test,
    ...(interval === 0 ? {} : { Interval: interval }),
    ...(timeout === 0 ? {} : { Timeout: timeout }),
    ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
}

function workdirOf(state: StageState, path: string): string {
  if (path === '') throw new Error('WORKDIR cannot be empty');
  return withoutTrailingSlash(posix.resolve('/', state.config.WorkingDir ?? '', path));
}

function runEffect(state: StageState, { command, files }: RunInstruction, scope: Scope): Effect {
  const env = state.config.Env ?? [];
  const set = new Set(env.map((entry) => entry.slice(0, entry.indexOf('='))));
  const entriesOf = (values: Iterable<readonly [string, string | undefined]>) =>
    [...values].flatMap(([key, value]) => (value === undefined || set.has(key) ? [] : [`${key}=${value}`]));
  const buildArgs = entriesOf(state.args).sort();
  const undeclared = [...scope.predefined].filter(([key]) => !state.args.has(key));
  const script = files.length === 0 ? undefined : scriptOf(command, files);
  const args =
    script === undefined ? wordsOf(state, command) : wordsOf(state, { args: [script], shell: true });
  return { kind: 'run', args, env: [...env, ...buildArgs, ...entriesOf(undeclared)], buildArgs };
}

/** A heredoc that is the whole command is the script itself; otherwise the shell reads command and bodies. */
function scriptOf(command: Command, files: RunInstruction['files']): string {
  const text = command.args[0] ?? '';
  const [file] = files;
  const bodies = files.map((one) => `${one.content}${one.name}\n`).join('');
  const alone = files.length === 1 && /^<<-?\s*(?:"[^"]*"|'[^']*'|[^\s"'<>|&;]+)+$/.test(text.trim());
  if (file === undefined || !alone) return `${text}\n${bodies}`;
  const body = heredocText(file);
  if (!body.startsWith('#!')) return body;
  // The script goes to its interpreter through a file of its own.
  const word = `GANTRY_${file.name.replaceAll(/\W/g, '_')}`;
  return [
    'script=$(mktemp) || exit 1',
    `cat > "$script" <<'${word}'`,
    `${body}${word}`,
    'chmod +x "$script"; "$script"; code=$?; rm -f "$script"; exit $code',
  ].join('\n');
}

function copyEffect(state: StageState, instruction: CopyInstruction, expand: Expander): Effect {
  const destination = expand.word(instruction.destination);
  const absolute = posix.resolve('/', state.config.WorkingDir ?? '', destination);
  const isDirectory = /(?:^|\/)\.{0,2}$/.test(destination);
  const { chown, chmod } = instruction;
  const checksum = expand.word(instruction.checksum ?? '');
  return {
    kind: 'copy',
    instruction,
    sources: instruction.sources.map((source) => expand.word(source)),
    files: instruction.files.map((file) => ({
      name: file.name,
      content: file.expand ? expand.body(heredocText(file)) : heredocText(file),
    })),
    destination: isDirectory && absolute !== '/' ? `${absolute}/` : absolute,
    ...(chown === undefined ? {} : { chown: expand.word(chown) }),
    ...(chmod === undefined ? {} : { chmod: expand.word(chmod) }),
    ...(checksum === '' ? {} : { checksum }),
  };
}

function withoutTrailingSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Go's `%q` of a list: `["a" "b"]`. */
function goQuoted(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(' ')}]`;
}
