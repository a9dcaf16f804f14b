import { EngineError, messageOf } from '../../errors/index.ts';
import { parseArguments } from './arguments.ts';
import type { Dockerfile, Heredoc, Node } from './ast.ts';
import { DirectiveReader } from './directives.ts';
import { heredocsOf } from './heredoc.ts';
import { parseError } from './parse-error.ts';
import { takeFlags } from './words.ts';

const longestLine = 65535;
const heredocInstructions = new Set(['add', 'copy', 'run']);

/**
 * Parses a Dockerfile into its instructions, unknown ones included.
 * Throws `invalidArgument`, "dockerfile parse error on line N: ...".
 */
export function parseDockerfile(text: string): Dockerfile {
  return new Parser(text).parse();
}

class Parser {
  /** Each with its line end. */
  readonly #lines: readonly string[];
  readonly #directives = new DirectiveReader();
  #next = 0;

  constructor(text: string) {
    this.#lines = text.replace(/^\uFEFF/, '').match(/[^\n]*\n|[^\n]+$/g) ?? [];
  }

  parse(): Dockerfile {
    const nodes: Node[] = [];
    let comments: string[] = [];
    for (let raw = this.#take(); raw !== undefined; raw = this.#take()) {
      this.#directives.read(trimEnd(raw), this.#next);
      const line = trimEnd(raw).trimStart();
      if (line.startsWith('#')) {
        comments.push(line.slice(1).trim());
      } else {
        if (line !== '') nodes.push(this.#instruction(line, comments));
        comments = [];
      }
    }
    if (nodes.length === 0) throw new EngineError('invalidArgument', 'file with no instructions');
    const syntax = this.#directives.get('syntax');
    const check = this.#directives.get('check');
    return {
      nodes,
      escape: this.#directives.escape,
      ...(syntax === undefined ? {} : { syntax }),
      ...(check === undefined ? {} : { check }),
    };
  }

  #take(): string | undefined {
    const line = this.#lines[this.#next];
    if (line === undefined) return undefined;
    this.#next += 1;
    if (line.length > longestLine) {
      throw parseError(this.#next, `dockerfile line greater than maximum allowed size of ${longestLine}`);
    }
    return line;
  }

  #instruction(first: string, comments: readonly string[]): Node {
    const startLine = this.#next;
    const line = this.#join(first);
    try {
      const node = parseLine(line, this.#directives.escape);
      const heredocs = takesHeredocs(node) && line.includes('<<') ? this.#heredocs(line) : [];
      return withPlace(node, { startLine, endLine: this.#next, heredocs, comments });
    } catch (error) {
      if (error instanceof EngineError) throw error;
      throw parseError(startLine, messageOf(error), error);
    }
  }

  /** Joins continued lines; comments and blank lines between them are dropped. */
  #join(first: string): string {
    const escape = this.#directives.escape === '`' ? '`' : '\\\\';
    const continuation = new RegExp(`(^|[^${escape}])${escape}[ \\t]*$`);
    let joined = '';
    let part: string | undefined = first;
    for (;;) {
      const more: boolean = continuation.test(part);
      joined += more ? part.replace(continuation, '$1') : part;
      if (!more) return joined;
      do {
        part = this.#take();
        if (part === undefined) return joined;
        part = trimEnd(part);
      } while (/^\s*(?:#|$)/.test(part));
    }
  }

  #heredocs(line: string): Heredoc[] {
    return heredocsOf(line).map((heredoc) => {
      let content = '';
      for (let raw = this.#take(); raw !== undefined; raw = this.#take()) {
        const plain = trimEnd(raw);
        if ((heredoc.chomp ? plain.replace(/^\t+/, '') : plain) === heredoc.name) {
          return { ...heredoc, content };
        }
        content += raw;
      }
      throw new Error('unterminated heredoc');
    });
  }
}

interface Place {
  readonly startLine: number;
  readonly endLine: number;
  readonly heredocs: readonly Heredoc[];
  readonly comments: readonly string[];
}

function withPlace(node: Node, place: Place): Node {
  return {
    ...node,
    ...place,
    ...(node.child === undefined ? {} : { child: withPlace(node.child, { ...place, comments: [] }) }),
  };
}

/** Parses one joined line; ONBUILD's inner instruction becomes its child. Throws an Error with the problem. */
export function parseLine(line: string, escape: string): Node {
  const [, word = '', text = ''] = /^(\S+)\s*([^]*)$/.exec(line.trim()) ?? [];
  const name = word.toLowerCase();
  const { flags, rest } = takeFlags(text);
  const trimmed = rest.trim();
  const common = {
    name,
    flags,
    original: line.trim(),
    heredocs: [],
    startLine: 0,
    endLine: 0,
    comments: [],
  };
  if (name === 'onbuild' && trimmed !== '') {
    return { ...common, args: [], json: false, child: parseLine(trimmed, escape) };
  }
  return { ...common, ...parseArguments(name, trimmed, escape) };
}

function takesHeredocs(node: Node): boolean {
  const inner = node.child ?? node;
  return heredocInstructions.has(inner.name) && !inner.json;
}

function trimEnd(line: string): string {
  return line.replace(/[\r\n]+$/, '');
}
