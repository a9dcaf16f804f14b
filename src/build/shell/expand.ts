import { cutPrefix, cutSuffix, replacePattern } from './pattern.ts';

export interface ExpandOptions {
  /** `\` or `` ` ``. */
  readonly escape: string;
  /** The value of a variable; `undefined` when it is not set. */
  readonly variables: (name: string) => string | undefined;
  /** Leaves `$unset` as it is written instead of dropping it. */
  readonly keepUnset?: boolean;
  /** Keeps the quotes in the result. */
  readonly rawQuotes?: boolean;
  /** Quotes are ordinary characters (heredoc bodies). */
  readonly plainQuotes?: boolean;
}

/** Expands variables and resolves quotes and escapes: one word. Throws an Error that says what is wrong. */
export function expandWord(text: string, options: ExpandOptions): string {
  return new Lexer(text, options).whole().text;
}

/** The same, split at blanks that stand outside quotes, those from variables included. */
export function expandWords(text: string, options: ExpandOptions): string[] {
  return new Lexer(text, options).whole().words.all();
}

/** Collects characters into words; raw ones never split. */
class Words {
  readonly #done: string[] = [];
  #word = '';

  add(text: string): void {
    for (const ch of text) {
      if (/\s/u.test(ch)) this.#end();
      else this.#word += ch;
    }
  }

  addRaw(text: string): void {
    this.#word += text;
  }

  all(): string[] {
    this.#end();
    return this.#done;
  }

  #end(): void {
    if (this.#word !== '') this.#done.push(this.#word);
    this.#word = '';
  }
}

const specialNames = new Set('@*#?-$!0');

class Lexer {
  readonly #characters: readonly string[];
  readonly #options: ExpandOptions;
  #at = 0;
  #rawEscapes = false;

  constructor(text: string, options: ExpandOptions) {
    this.#characters = [...text];
    this.#options = options;
  }

  whole(): { text: string; words: Words } {
    return this.#until(undefined);
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(): string | undefined {
    const ch = this.#characters[this.#at];
    this.#at += 1;
    return ch;
  }

  #until(stop: string | undefined): { text: string; words: Words } {
    const words = new Words();
    let text = '';
    const raw = (piece: string) => {
      words.addRaw(piece);
      text += piece;
    };
    for (let ch = this.#peek(); ch !== undefined; ch = this.#peek()) {
      if (ch === stop) {
        this.#take();
        return { text, words };
      }
      if (ch === '$') {
        const value = this.#dollar();
        words.add(value);
        text += value;
      } else if (ch === "'" && this.#options.plainQuotes !== true) {
        raw(this.#singleQuoted());
      } else if (ch === '"' && this.#options.plainQuotes !== true) {
        raw(this.#doubleQuoted());
      } else {
        this.#take();
        if (ch === this.#options.escape) {
          const escaped = this.#take();
          if (this.#rawEscapes) raw(ch);
          if (escaped !== undefined) raw(escaped);
        } else {
          words.add(ch);
          text += ch;
        }
      }
    }
    if (stop !== undefined) throw new Error(`syntax error: missing '${stop}'`);
    return { text, words };
  }

  #withRawEscapes(stop: string): string {
    const before = this.#rawEscapes;
    this.#rawEscapes = true;
    try {
      return this.#until(stop).text;
    } finally {
      this.#rawEscapes = before;
    }
  }

  #singleQuoted(): string {
    const quote = this.#options.rawQuotes === true ? "'" : '';
    let text = quote;
    this.#take();
    for (;;) {
      const ch = this.#take();
      if (ch === undefined) {
        throw new Error('unexpected end of statement while looking for matching single-quote');
      }
      if (ch === "'") return text + quote;
      text += ch;
    }
  }

  #doubleQuoted(): string {
    const quote = this.#options.rawQuotes === true ? '"' : '';
    let text = quote;
    this.#take();
    for (;;) {
      const ch = this.#peek();
      if (ch === undefined) {
        throw new Error('unexpected end of statement while looking for matching double-quote');
      }
      if (ch === '$') {
        text += this.#dollar();
        continue;
      }
      this.#take();
      if (ch === '"') return text + quote;
      text += ch === this.#options.escape ? this.#escapedInQuotes(ch) : ch;
    }
  }

  /** Between double quotes only `"`, `$` and the escape character itself can be escaped. */
  #escapedInQuotes(escape: string): string {
    const next = this.#peek();
    if (next === undefined) return '';
    if (next !== '"' && next !== '$' && next !== escape) return escape;
    this.#take();
    return this.#rawEscapes ? escape + next : next;
  }

  #dollar(): string {
    this.#take();
    if (this.#peek() !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      return this.#value(name) ?? this.#unset(`$${name}`);
    }
    this.#take();
    const next = this.#peek();
    if (next === undefined) throw new Error("syntax error: missing '}'");
    if ('{}:'.includes(next)) throw new Error('syntax error: bad substitution');
    const start = this.#at;
    const name = this.#name();
    const operator = this.#take();
    if (operator === undefined) throw new Error("syntax error: missing '}'");
    if (operator === '}') return this.#value(name) ?? this.#unset(`\${${name}}`);
    const result = operator === '/' ? this.#replacement(name) : this.#modified(name, operator);
    if (result !== undefined) return result;
    return this.#unset(`\${${this.#characters.slice(start, this.#at).join('')}`);
  }

  #unset(written: string): string {
    return this.#options.keepUnset === true ? written : '';
  }

  /** `undefined`: the variable is not set and no modifier gave a value. */
  #modified(name: string, first: string): string | undefined {
    const emptyIsUnset = first === ':';
    const operator = emptyIsUnset ? (this.#take() ?? '') : first;
    const cuts = operator === '#' || operator === '%';
    if (!'+-?#%'.includes(operator) || operator === '' || (cuts && emptyIsUnset)) {
      throw new Error(`unsupported modifier (${emptyIsUnset ? ':' : ''}${operator}) in substitution`);
    }
    const word = cuts ? this.#withRawEscapes('}') : this.#until('}').text;
    const value = this.#value(name);
    const present = value !== undefined && !(emptyIsUnset && value === '');
    switch (operator) {
      case '-':
        return present ? value : word;
      case '+':
        return present ? word : '';
      case '?':
        if (present) return value;
        throw new Error(
          `${name}: ${word !== '' ? word : `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`,
        );
      default:
        return value === undefined ? undefined : cut(value, operator, word);
    }
  }

  #replacement(name: string): string | undefined {
    const all = this.#peek() === '/';
    if (all) this.#take();
    const pattern = this.#withRawEscapes('/');
    const by = this.#until('}').text;
    const value = this.#value(name);
    return value === undefined ? undefined : replacePattern(value, pattern, { by, all });
  }

  #value(name: string): string | undefined {
    return this.#options.variables(name);
  }

  #name(): string {
    const first = this.#peek();
    if (first === undefined) return '';
    const wanted = /\p{Nd}/u.test(first) ? /\p{Nd}/u : /[\p{L}\p{Nd}_]/u;
    if (specialNames.has(first) && !wanted.test(first)) return this.#take() ?? '';
    let name = '';
    for (let ch = this.#peek(); ch !== undefined && wanted.test(ch); ch = this.#peek()) {
      name += ch;
      this.#take();
    }
    return name;
  }
}

function cut(value: string, operator: string, word: string): string {
  const longest = word.startsWith(operator);
  const pattern = longest ? word.slice(1) : word;
  return operator === '#' ? cutPrefix(value, pattern, longest) : cutSuffix(value, pattern, longest);
}
