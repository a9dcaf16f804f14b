/** Turns a shell pattern (`*`, `?`, `\x`) into a regular expression's source. Throws for a trailing backslash. */
export function patternSource(pattern: string): string {
  let source = '';
  const characters = [...pattern];
  for (let at = 0; at < characters.length; at += 1) {
    const ch = characters[at] ?? '';
    if (ch === '*') {
      while (characters[at + 1] === '*') at += 1;
      source += '[^]*';
    } else if (ch === '?') {
      source += '[^]';
    } else if (ch === '\\') {
      at += 1;
      const literal = characters[at];
      if (literal === undefined) throw new Error(`invalid escape '\\' at the end of pattern "${pattern}"`);
      source += quote(literal);
    } else {
      source += quote(ch);
    }
  }
  return source;
}

/** Cuts the shortest (or longest) start of `value` that matches. */
export function cutPrefix(value: string, pattern: string, longest: boolean): string {
  const whole = new RegExp(`^(?:${patternSource(pattern)})$`, 'u');
  const lengths = Array.from({ length: value.length + 1 }, (_, length) => length);
  const length = (longest ? lengths.reverse() : lengths).find((one) => whole.test(value.slice(0, one)));
  return value.slice(length ?? 0);
}

/** Cuts the shortest (or longest) end of `value` that matches. */
export function cutSuffix(value: string, pattern: string, longest: boolean): string {
  const whole = new RegExp(`^(?:${patternSource(pattern)})$`, 'u');
  const starts = Array.from({ length: value.length + 1 }, (_, start) => start);
  const start = (longest ? starts : starts.reverse()).find((one) => whole.test(value.slice(one)));
  return value.slice(0, start ?? value.length);
}

/** Replaces the first (or every) longest match. */
export function replacePattern(
  value: string,
  pattern: string,
  options: { by: string; all: boolean },
): string {
  const matcher = new RegExp(patternSource(pattern), options.all ? 'gu' : 'u');
  return value.replace(matcher, () => options.by);
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');
}
