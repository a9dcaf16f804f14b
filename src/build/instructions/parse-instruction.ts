import { EngineError, messageOf } from '../../errors/index.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { Node } from '../parser/ast.ts';
import { parseError } from '../parser/parse-error.ts';
import { copyInstruction } from './copy-instruction.ts';
import { type FlagKind, Flags } from './flags.ts';
import type {
  ArgInstruction,
  Command,
  FromInstruction,
  HealthcheckInstruction,
  Instruction,
  KeyValue,
  RunInstruction,
  Source,
} from './instruction.ts';
import { didYouMean } from './suggest.ts';

type Reader = (node: Node, source: Source) => Instruction;

const readers: Readonly<Record<string, Reader>> = {
  add: copyInstruction,
  arg,
  cmd: (node, source) => ({ kind: 'cmd', command: commandOf(withoutFlags(node)), source }),
  copy: copyInstruction,
  entrypoint: (node, source) => ({ kind: 'entrypoint', command: commandOf(withoutFlags(node)), source }),
  env: (node, source) => ({ kind: 'env', pairs: pairsOf(node), source }),
  expose: (node, source) => ({ kind: 'expose', ports: [...atLeastOne(node).args].sort(), source }),
  from,
  healthcheck,
  label: (node, source) => ({ kind: 'label', pairs: pairsOf(node), source }),
  maintainer: (node, source) => ({ kind: 'maintainer', value: exactlyOne(node), source }),
  onbuild,
  run,
  shell,
  stopsignal: (node, source) => ({ kind: 'stopsignal', value: exactlyOne(node), source }),
  user: (node, source) => ({ kind: 'user', value: exactlyOne(node), source }),
  volume,
  workdir: (node, source) => ({ kind: 'workdir', value: exactlyOne(node), source }),
};
const names = Object.keys(readers).map((name) => name.toUpperCase());

/** Checks a node and gives it its type. Throws `invalidArgument`, "dockerfile parse error on line N: ...". */
export function parseInstruction(node: Node): Instruction {
  const reader = readers[node.name];
  if (reader === undefined) {
    const name = node.name.toUpperCase();
    throw parseError(node.startLine, `unknown instruction: ${name}${didYouMean(name, names)}`);
  }
  try {
    return reader(node, { line: node.startLine, text: node.original });
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw parseError(node.startLine, messageOf(error), error);
  }
}

function flagsOf(node: Node, known: Readonly<Record<string, FlagKind>> = {}): Flags {
  return new Flags(node.flags, known);
}

function withoutFlags(node: Node): Node {
  flagsOf(node);
  return node;
}

function atLeastOne(node: Node): Node {
  withoutFlags(node);
  if (node.args.length === 0) throw new Error(`${node.name.toUpperCase()} requires at least one argument`);
  return node;
}

function exactlyOne(node: Node): string {
  withoutFlags(node);
  const [value, ...more] = node.args;
  if (value === undefined || more.length > 0) {
    throw new Error(`${node.name.toUpperCase()} requires exactly one argument`);
  }
  return value;
}

function commandOf(node: Node): Command {
  return { args: node.args, shell: !node.json };
}

function pairsOf(node: Node): KeyValue[] {
  const { args } = atLeastOne(node);
  const pairs: KeyValue[] = [];
  for (let at = 0; at < args.length; at += 3) {
    const key = args[at] ?? '';
    if (key === '') throw new Error(`${node.name.toUpperCase()} names can not be blank`);
    pairs.push({ key, value: args[at + 1] ?? '' });
  }
  return pairs;
}

function arg(node: Node, source: Source): ArgInstruction {
  const args = atLeastOne(node).args.map((word) => {
    const equals = word.indexOf('=');
    if (equals === -1) return { key: word };
    if (equals === 0) throw new Error('ARG names can not be blank');
    return { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
  return { kind: 'arg', args, source };
}

function from(node: Node, source: Source): FromInstruction {
  const flags = flagsOf(node, { platform: 'string' });
  const [base = '', as, name] = node.args;
  if (node.args.length !== 1 && !(node.args.length === 3 && as?.toLowerCase() === 'as')) {
    throw new Error('FROM requires either one or three arguments');
  }
  const lower = name?.toLowerCase();
  if (lower !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(lower)) {
    throw new Error(
      `invalid name for build stage: ${JSON.stringify(name)}, name can't start with a number or contain symbols`,
    );
  }
  return {
    kind: 'from',
    base,
    ...(lower === undefined ? {} : { name: lower }),
    ...flags.optional('platform', 'platform'),
    source,
  };
}

function run(node: Node, source: Source): RunInstruction {
  const flags = flagsOf(node, { mount: 'list', network: 'string', security: 'string', device: 'list' });
  for (const name of ['mount', 'security', 'device']) {
    if (flags.list(name).length > 0) {
      throw new Error(`RUN --${name} is not supported yet: take the flag out, or build with BuildKit`);
    }
  }
  if (!['', 'default'].includes(flags.text('network'))) {
    throw new Error('RUN --network is not supported yet: use the build option --network instead');
  }
  return { kind: 'run', command: commandOf(node), files: node.heredocs, source };
}

function shell(node: Node, source: Source): Instruction {
  withoutFlags(node);
  if (node.args.length === 0) throw new Error('SHELL requires at least one argument');
  if (!node.json) throw new Error('SHELL requires the arguments to be in JSON form');
  return { kind: 'shell', shell: node.args, source };
}

function volume(node: Node, source: Source): Instruction {
  const paths = atLeastOne(node).args.map((path) => path.trim());
  if (paths.includes('')) throw new Error('VOLUME specified can not be an empty string');
  return { kind: 'volume', paths, source };
}

function onbuild(node: Node, source: Source): Instruction {
  const { child } = node;
  if (child === undefined) throw new Error('ONBUILD requires at least one argument');
  const name = child.name.toUpperCase();
  if (name === 'ONBUILD') throw new Error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (name === 'MAINTAINER' || name === 'FROM')
    throw new Error(`${name} isn't allowed as an ONBUILD trigger`);
  parseInstruction(child);
  const bodies = child.heredocs.map((heredoc) => `${heredoc.content}${heredoc.name}\n`);
  const trigger = bodies.length === 0 ? child.original : `${child.original}\n${bodies.join('')}`;
  return { kind: 'onbuild', trigger, source };
}

function healthcheck(node: Node, source: Source): HealthcheckInstruction {
  const names = ['interval', 'timeout', 'start-period', 'start-interval', 'retries'] as const;
  const flags = flagsOf(node, Object.fromEntries(names.map((name) => [name, 'string'] as const)));
  const [word, ...args] = atLeastOneOf(node);
  const duration = (name: string) => {
    const text = flags.text(name);
    if (text === '') return 0;
    const value = parseDuration(text);
    if (value !== 0 && value < 1e6) {
      throw new Error(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
    }
    return value;
  };
  const kind = word.toUpperCase();
  const common = {
    kind: 'healthcheck',
    interval: duration('interval'),
    timeout: duration('timeout'),
    startPeriod: duration('start-period'),
    startInterval: duration('start-interval'),
    retries: retriesOf(flags.text('retries')),
    source,
  } as const;
  if (kind === 'NONE') {
    if (args.length > 0) throw new Error('HEALTHCHECK NONE takes no arguments');
    return { ...common, test: ['NONE'] };
  }
  if (kind !== 'CMD') throw new Error(`unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  if (args.length === 0) throw new Error('missing command after HEALTHCHECK CMD');
  return { ...common, test: [node.json ? 'CMD' : 'CMD-SHELL', ...args] };
}

function atLeastOneOf(node: Node): [string, ...string[]] {
  const [first, ...rest] = node.args;
  if (first === undefined) throw new Error(`${node.name.toUpperCase()} requires at least one argument`);
  return [first, ...rest];
}

function retriesOf(text: string): number {
  if (text === '') return 0;
  if (!/^[+-]?\d+$/.test(text)) throw new Error(`invalid value ${JSON.stringify(text)} for flag --retries`);
  const retries = Number(text);
  if (retries < 0) throw new Error(`--retries cannot be negative (${retries})`);
  return retries;
}
