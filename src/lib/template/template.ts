import { EngineError } from '../../errors/index.ts';
import { decidedBy, functions, type TemplateFunction } from './functions.ts';
import { templateError } from './lexer.ts';
import { type Command, type Expression, type Node, type Pipeline, parseTemplate } from './parser.ts';
import { Struct } from './struct.ts';
import { isTruthy, show, sortedEntries } from './values.ts';

/**
 * A compiled Go template. `data` is JSON, whose objects are maps, or has structs, whose functions are methods:
 * `.Label "x"` calls `Label('x')`, a function without arguments is called by its bare name.
 */
export type Template = (data: unknown) => string;

export interface TemplateOptions {
  /** What docker says before an error of the syntax; lists and `inspect` differ. */
  readonly parse: string;
  /** What it says before an error of rendering. */
  readonly execute: string;
  /** The template's name, empty for that of a flag. */
  readonly name?: string;
  /** The data's type in Go. */
  readonly dataType?: string;
  /** True if a key that a map lacks is an error; else it is no value. */
  readonly strictKeys?: boolean;
  /** Functions in the place of those of the same name. */
  readonly functions?: Readonly<Record<string, TemplateFunction>>;
}

const inspectErrors: TemplateOptions = {
  parse: 'template parsing error: ',
  execute: 'template parsing error: ',
};

/** Compiles the subset of Go's text/template that `--format` needs. Throws `invalidArgument` with Docker's text. */
export function compileTemplate(source: string, given: Partial<TemplateOptions> = {}): Template {
  const options = { ...inspectErrors, ...given };
  let nodes: Node[];
  try {
    nodes = parseTemplate(source, new Set([...Object.keys(functions), ...Object.keys(decidedBy)]));
  } catch (error) {
    throw prefixed(`${options.parse}template: ${options.name ?? ''}:1: `, error);
  }
  return (data) => {
    const run = new Execution(data, options);
    try {
      run.nodes(nodes, data, new Scope(new Map([['$', data]])));
    } catch (error) {
      throw prefixed(`${options.execute}template: `, error);
    }
    return run.output;
  };
}

function prefixed(prefix: string, error: unknown): unknown {
  if (!(error instanceof EngineError)) return error;
  return new EngineError(error.code, `${prefix}${error.message}`, { cause: error });
}

class Scope {
  readonly #own: Map<string, unknown>;
  readonly #outer: Scope | undefined;

  constructor(own: Map<string, unknown> = new Map(), outer?: Scope) {
    this.#own = own;
    this.#outer = outer;
  }

  get(name: string): unknown {
    if (this.#own.has(name)) return this.#own.get(name);
    if (this.#outer === undefined) throw templateError(`undefined variable ${JSON.stringify(name)}`);
    return this.#outer.get(name);
  }

  declare(name: string, value: unknown): void {
    this.#own.set(name, value);
  }

  assign(name: string, value: unknown): void {
    if (this.#own.has(name)) this.#own.set(name, value);
    else if (this.#outer === undefined) throw templateError(`undefined variable ${JSON.stringify(name)}`);
    else this.#outer.assign(name, value);
  }
}

type FieldExpression = Expression & { readonly kind: 'field' };
type Flow = 'break' | 'continue' | undefined;

class Execution {
  output = '';
  readonly #root: unknown;
  readonly #options: TemplateOptions;
  readonly #functions: Readonly<Record<string, TemplateFunction>>;

  constructor(root: unknown, options: TemplateOptions) {
    this.#root = root;
    this.#options = options;
    this.#functions = { ...functions, ...options.functions };
  }

  nodes(nodes: readonly Node[], dot: unknown, scope: Scope): Flow {
    for (const node of nodes) {
      const flow = this.#node(node, dot, scope);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  #node(node: Node, dot: unknown, scope: Scope): Flow {
    switch (node.kind) {
      case 'text':
        this.output += node.text;
        return undefined;
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot, scope);
        if (node.pipeline.declare === undefined) this.output += show(value);
        return undefined;
      }
      case 'if':
      case 'with': {
        const inner = new Scope(new Map(), scope);
        const value = this.#pipeline(node.pipeline, dot, inner);
        if (!isTruthy(value)) return this.nodes(node.otherwise, dot, inner);
        return this.nodes(node.body, node.kind === 'with' ? value : dot, inner);
      }
      case 'range':
        return this.#range(node, dot, scope);
      default:
        return node.kind;
    }
  }

  #range(node: Node & { kind: 'if' | 'with' | 'range' }, dot: unknown, scope: Scope): Flow {
    const { declare, commands } = node.pipeline;
    const value = this.#pipeline({ commands }, dot, scope);
    const entries = rangeEntries(value);
    if (entries.length === 0) return this.nodes(node.otherwise, dot, scope);
    for (const [key, item] of entries) {
      const inner = new Scope(new Map(), scope);
      const names = declare?.names ?? [];
      const last = names.at(-1);
      if (names.length > 1 && names[0] !== undefined) inner.declare(names[0], key);
      if (last !== undefined) inner.declare(last, item);
      if (this.nodes(node.body, item, inner) === 'break') break;
    }
    return undefined;
  }

  #pipeline(pipeline: Pipeline, dot: unknown, scope: Scope): unknown {
    let piped: readonly unknown[] = [];
    for (const command of pipeline.commands) piped = [this.#command(command, piped, dot, scope)];
    const [value] = piped;
    for (const name of pipeline.declare?.names ?? []) {
      if (pipeline.declare?.isNew === true) scope.declare(name, value);
      else scope.assign(name, value);
    }
    return value;
  }

  #command(command: Command, piped: readonly unknown[], dot: unknown, scope: Scope): unknown {
    const [head, ...rest] = command;
    if (head.kind === 'function' && Object.hasOwn(decidedBy, head.name)) {
      return this.#decide(head.name, [
        ...rest.map((one) => () => this.#value(one, dot, scope)),
        ...piped.map((one) => () => one),
      ]);
    }
    const args = [...rest.map((one) => this.#value(one, dot, scope)), ...piped];
    if (head.kind === 'function') return this.#call(head.name, args);
    if (head.kind === 'field') return this.#member(head, args, dot, scope);
    if (args.length > 0) throw templateError(`can't give argument to non-function ${describe(head)}`);
    return this.#value(head, dot, scope);
  }

  #decide(name: string, args: readonly (() => unknown)[]): unknown {
    if (args.length === 0) throw templateError(`wrong number of args for ${name}: want at least 1 got 0`);
    let value: unknown;
    for (const arg of args) {
      value = arg();
      if (isTruthy(value) === decidedBy[name]) break;
    }
    return value;
  }

  #call(name: string, args: readonly unknown[]): unknown {
    const called = Object.hasOwn(this.#functions, name) ? this.#functions[name] : undefined;
    if (called === undefined) throw templateError(`function ${JSON.stringify(name)} not defined`);
    return called(...args);
  }

  #value(expression: Expression, dot: unknown, scope: Scope): unknown {
    switch (expression.kind) {
      case 'literal':
        return expression.value;
      case 'dot':
        return dot;
      case 'variable':
        return scope.get(expression.name);
      case 'function':
        return this.#command([expression], [], dot, scope);
      case 'field':
        return this.#member(expression, [], dot, scope);
      case 'pipeline':
        return this.#pipeline(expression.pipeline, dot, new Scope(new Map(), scope));
    }
  }

  #member(field: FieldExpression, args: readonly unknown[], dot: unknown, scope: Scope): unknown {
    const of = this.#value(field.of, dot, scope);
    const { name, at, chain } = field;
    const { name: template = '', dataType, strictKeys = false } = this.#options;
    const fail = (reason: string) =>
      templateError(`${template}:1:${at}: executing ${JSON.stringify(template)} at <${chain}>: ${reason}`);
    if (of === undefined && !strictKeys) return undefined;
    if (of === undefined || of === null) throw fail(`nil data; no entry for key "${name}"`);
    if (typeof of !== 'object' || Array.isArray(of))
      throw fail(`can't evaluate field ${name} in type ${goType(of)}`);
    const fields = (of instanceof Struct ? of.fields : of) as Readonly<Record<string, unknown>>;
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (of instanceof Struct && typeof value === 'function') {
      return (value as (...given: readonly unknown[]) => unknown)(...args);
    }
    if (args.length > 0) throw fail(`${name} is not a method but has arguments`);
    if (Object.hasOwn(fields, name)) return value;
    if (of instanceof Struct) {
      const type = of === this.#root && dataType !== undefined ? ` in type ${dataType}` : '';
      throw fail(`can't evaluate field ${name}${type}`);
    }
    if (strictKeys) throw fail(`map has no entry for key "${name}"`);
    return undefined;
  }
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  return typeof value === 'number' ? 'float64' : typeof value === 'boolean' ? 'bool' : 'string';
}

function rangeEntries(value: unknown): [unknown, unknown][] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.map((item, at) => [at, item]);
  if (typeof value === 'object' && !(value instanceof Struct)) return sortedEntries(value);
  if (typeof value === 'number') return Array.from({ length: value }, (_none, at) => [at, at]);
  throw templateError(`range can't iterate over ${show(value)}`);
}

function describe(expression: Expression): string {
  if (expression.kind === 'literal') return show(expression.value);
  return expression.kind === 'variable' ? expression.name : '.';
}
