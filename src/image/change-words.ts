import { EngineError } from '../errors/index.ts';

/**
 * Splits text at blanks as the instructions do: quotes group (and go), a backslash takes the next character as it
 * is, and `$NAME` and `${NAME}` outside single quotes stand for a variable. With `whole`, blanks do not split.
 */
export function splitWords(
  text: string,
  env: ReadonlyMap<string, string>,
  { whole = false }: { readonly whole?: boolean } = {},
): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (quote === '' && !whole && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === quote) {
      quote = '';
    } else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
      word ??= '';
    } else if (char === '\\' && quote !== "'" && at + 1 < text.length) {
      const next = text.charAt(at + 1);
      const escapes = quote === '' || '"$\\'.includes(next);
      word = (word ?? '') + (escapes ? next : char + next);
      at += 1;
    } else if (char === '$' && quote !== "'") {
      const [all, braced, bare] = /^\$(?:\{(\w+)\}|(\w+))/.exec(text.slice(at)) ?? [];
      word = (word ?? '') + (all === undefined ? '$' : (env.get(braced ?? bare ?? '') ?? ''));
      at += (all?.length ?? 1) - 1;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== '')
    throw new EngineError(
      'invalidArgument',
      `unexpected end of statement while looking for matching ${quote === '"' ? 'double' : 'single'}-quote`,
    );
  if (word !== undefined) words.push(word);
  return words;
}

/** Takes leading `--name=value` flags off. */
export function parseFlags(
  text: string,
  known: readonly string[],
): { readonly flags: ReadonlyMap<string, string>; readonly rest: string } {
  const flags = new Map<string, string>();
  let rest = text.trim();
  for (;;) {
    const [all, name = '', value = ''] = /^--([\w-]+)=(\S*)\s*/.exec(rest) ?? [];
    if (all === undefined) return { flags, rest };
    if (!known.includes(name)) throw new EngineError('invalidArgument', `Unknown flag: ${name}`);
    flags.set(name, value);
    rest = rest.slice(all.length);
  }
}
