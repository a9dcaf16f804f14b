import { type Token, type TokenKind, templateError, tokenize } from './lexer.ts';

export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string }
  | {
      readonly kind: 'field';
      readonly of: Expression;
      readonly name: string;
      readonly at: number;
      readonly chain: string;
    }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline };

/** An operand and its arguments; `a | f b` appends the value of `a` to the arguments of `f`. */
export type Command = readonly [Expression, ...Expression[]];

export interface Pipeline {
  readonly declare?: { readonly names: readonly string[]; readonly isNew: boolean };
  readonly commands: readonly Command[];
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: Node[];
      readonly otherwise: Node[];
    }
  | { readonly kind: 'break' | 'continue' };

/** Parses the part of Go's text/template that Docker's `--format` is used with. Throws `invalidArgument`. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): Node[] {
  const parser = new Parser(tokenize(source), functions);
  const { nodes, end } = parser.nodes();
  if (end !== undefined) throw templateError(`unexpected {{${end}}}`);
  return nodes;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #functions: ReadonlySet<string>;
  #at = 0;

  constructor(tokens: readonly Token[], functions: ReadonlySet<string>) {
    this.#tokens = tokens;
    this.#functions = functions;
  }

  /** Nodes up to the end, `{{end}}` or `{{else…}}`; the latter with its `if` still to be read. */
  nodes(): { nodes: Node[]; end?: 'end' | 'else' } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined) return { nodes };
      this.#at++;
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      const word = this.#peek('identifier')?.text;
      if (word === 'end' || word === 'else') {
        this.#at++;
        if (word === 'end') this.#expect('close');
        return { nodes, end: word };
      }
      nodes.push(this.#action(word));
    }
  }

  #action(word: string | undefined): Node {
    switch (word) {
      case 'if':
      case 'with':
      case 'range':
        this.#at++;
        return this.#block(word);
      case 'break':
      case 'continue':
        this.#at++;
        this.#expect('close');
        return { kind: word };
      case 'template':
      case 'define':
      case 'block':
        throw templateError(`{{${word}}} is not supported`);
      default: {
        const pipeline = this.#pipeline();
        this.#expect('close');
        return { kind: 'action', pipeline };
      }
    }
  }

  #block(kind: 'if' | 'with' | 'range'): Node {
    const pipeline = this.#pipeline();
    this.#expect('close');
    const { nodes: body, end } = this.nodes();
    if (end === undefined) throw templateError('unexpected EOF');
    if (end === 'end') return { kind, pipeline, body, otherwise: [] };
    const next = this.#peek('identifier')?.text;
    if (next === 'if' || next === 'with') {
      this.#at++;
      return { kind, pipeline, body, otherwise: [this.#block(next)] };
    }
    this.#expect('close');
    const { nodes: otherwise, end: last } = this.nodes();
    if (last !== 'end')
      throw templateError(last === undefined ? 'unexpected EOF' : 'expected end; found {{else}}');
    return { kind, pipeline, body, otherwise };
  }

  #pipeline(): Pipeline {
    const declare = this.#declaration();
    const commands: Command[] = [];
    for (;;) {
      commands.push(this.#command());
      if (this.#peek('pipe') === undefined) break;
      this.#at++;
    }
    return { ...(declare === undefined ? {} : { declare }), commands };
  }

  #declaration(): Pipeline['declare'] {
    const start = this.#at;
    const names: string[] = [];
    while (this.#peek('variable') !== undefined) {
      names.push((this.#tokens[this.#at++] as Token).text);
      if (this.#peek('comma') === undefined) break;
      this.#at++;
    }
    const sign = this.#tokens[this.#at]?.kind;
    if (names.length > 0 && (sign === 'declare' || sign === 'assign')) {
      this.#at++;
      return { names, isNew: sign === 'declare' };
    }
    this.#at = start;
    return undefined;
  }

  #command(): Command {
    const operands: Expression[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined) throw templateError('unclosed action');
      if (token.kind === 'close' || token.kind === 'pipe' || token.kind === 'right') break;
      operands.push(this.#operand());
    }
    const [first, ...rest] = operands;
    if (first === undefined) throw templateError('missing value for command');
    return [first, ...rest];
  }

  #operand(): Expression {
    const token = this.#tokens[this.#at++] as Token;
    const first = this.#primary(token);
    const fields = token.kind === 'field' ? [token] : [];
    for (let next = this.#peek('field'); next !== undefined && !next.spaced; next = this.#peek('field')) {
      this.#at++;
      fields.push(next);
    }
    // An error of any of them names them all, at the place of the second: so do Go's.
    const at = (fields[1] ?? fields[0] ?? token).at;
    const chain = (token.kind === 'field' ? '' : token.text) + fields.map(({ text }) => text).join('');
    return fields.reduce<Expression>(
      (of, { text }) => ({ kind: 'field', of, name: text.slice(1), at, chain }),
      first,
    );
  }

  #primary(token: Token): Expression {
    switch (token.kind) {
      case 'dot':
      case 'field':
        return { kind: 'dot' };
      case 'variable':
        return { kind: 'variable', name: token.text };
      case 'string':
        return { kind: 'literal', value: unquote(token.text) };
      case 'number':
        return { kind: 'literal', value: Number(token.text) };
      case 'identifier':
        if (token.text === 'true' || token.text === 'false')
          return { kind: 'literal', value: token.text === 'true' };
        if (token.text === 'nil') return { kind: 'literal', value: null };
        if (!this.#functions.has(token.text))
          throw templateError(`function ${JSON.stringify(token.text)} not defined`);
        return { kind: 'function', name: token.text };
      case 'left': {
        const pipeline = this.#pipeline();
        this.#expect('right');
        return { kind: 'pipeline', pipeline };
      }
      default:
        throw templateError(`unexpected ${JSON.stringify(token.text)} in operand`);
    }
  }

  #peek(kind: TokenKind): Token | undefined {
    const token = this.#tokens[this.#at];
    return token?.kind === kind ? token : undefined;
  }

  #expect(kind: TokenKind): void {
    const token = this.#tokens[this.#at++];
    if (token?.kind !== kind) {
      throw templateError(
        token === undefined ? 'unclosed action' : `unexpected ${JSON.stringify(token.text)}`,
      );
    }
  }
}

function unquote(text: string): string | number {
  if (text.startsWith('`')) return text.slice(1, -1);
  if (text.startsWith("'")) return (JSON.parse(`"${text.slice(1, -1)}"`) as string).codePointAt(0) ?? 0;
  const escaped = text
    .replace(/\\x([0-9a-fA-F]{2})/g, '\\u00$1')
    .replace(/\\a/g, '\\u0007')
    .replace(/\\v/g, '\\u000b');
  try {
    return JSON.parse(escaped.replaceAll('\t', '\\t')) as string;
  } catch (error) {
    if (error instanceof SyntaxError) throw templateError(`bad string ${text}`);
    throw error;
  }
}
