import { EngineError } from '../../errors/index.ts';

/**
 * A pattern of Go's filepath.Match (`*`, `?`, `[a-z]`, `[^a]`, `\x`, none of which crosses `/`) as a regular
 * expression; with `doubleStar`, `**` spans directories as in .dockerignore. Throws `invalidArgument` "syntax error
 * in pattern".
 */
export function globToRegExp(pattern: string, options: { readonly doubleStar?: boolean } = {}): RegExp {
  const reader = new Reader(pattern);
  let source = '';
  for (let ch = reader.take(); ch !== undefined; ch = reader.take()) {
    if (ch === '*') source += star(reader, options.doubleStar ?? false);
    else if (ch === '?') source += '[^/]';
    else if (ch === '[') source += characterClass(reader);
    else source += quote(ch === '\\' ? reader.need() : ch);
  }
  return new RegExp(`^${source}$`, 'su');
}

/** True when a COPY source needs matching against names. */
export function hasWildcard(pattern: string): boolean {
  return /[*?[]/.test(pattern.replaceAll(/\\[^]/g, ''));
}

class Reader {
  readonly #pattern: string;
  readonly #characters: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
    this.#characters = [...pattern];
  }

  take(): string | undefined {
    const ch = this.#characters[this.#at];
    this.#at += 1;
    return ch;
  }

  /** Takes the next character if it is `wanted`. */
  skip(wanted: string): boolean {
    if (this.#characters[this.#at] !== wanted) return false;
    this.#at += 1;
    return true;
  }

  atEnd(): boolean {
    return this.#at >= this.#characters.length;
  }

  need(): string {
    const ch = this.take();
    if (ch === undefined) throw this.bad();
    return ch;
  }

  bad(): EngineError {
    return new EngineError('invalidArgument', `syntax error in pattern: ${JSON.stringify(this.#pattern)}`);
  }
}

function star(reader: Reader, doubleStar: boolean): string {
  if (!doubleStar || !reader.skip('*')) return '[^/]*';
  // `**/` also stands for no directory at all.
  reader.skip('/');
  return reader.atEnd() ? '.*' : '(?:.*/)?';
}

function characterClass(reader: Reader): string {
  const negated = reader.skip('^');
  let ranges = '';
  while (ranges === '' || !reader.skip(']')) {
    const low = classCharacter(reader);
    const high = reader.skip('-') ? classCharacter(reader) : low;
    if (low > high) throw reader.bad();
    ranges += low === high ? quoteInClass(low) : `${quoteInClass(low)}-${quoteInClass(high)}`;
  }
  return `[${negated ? '^' : ''}${ranges}]`;
}

function classCharacter(reader: Reader): string {
  const ch = reader.need();
  if (ch === '-' || ch === ']') throw reader.bad();
  return ch === '\\' ? reader.need() : ch;
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/u, '\\$&');
}

function quoteInClass(text: string): string {
  return text === '-' ? '\\-' : quote(text);
}
