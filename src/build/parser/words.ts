/** Splits at blanks; quotes and escapes group characters and stay in the words. */
export function splitWords(text: string, escape: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const ch = text.charAt(at);
    if (ch === escape && quote !== "'") {
      // An escape character at the very end stands for nothing.
      if (at + 1 === text.length) break;
      word += ch + text.charAt(at + 1);
      at += 1;
    } else if (quote !== '') {
      if (ch === quote) quote = '';
      word += ch;
    } else if (/\s/.test(ch)) {
      if (word !== '') words.push(word);
      word = '';
    } else {
      if (ch === '"' || ch === "'") quote = ch;
      word += ch;
    }
  }
  if (word !== '') words.push(word);
  return words;
}

/** Takes the `--flag` words off the front; their quotes and backslashes are resolved. */
export function takeFlags(text: string): { readonly flags: readonly string[]; readonly rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text.charAt(at))) at += 1;
    if (!text.startsWith('--', at)) return { flags, rest: text.slice(at) };
    const { word, end, quoted } = flagWord(text, at);
    at = end;
    if (word === '--') return { flags, rest: text.slice(at).trimStart() };
    if (quoted || word !== '') flags.push(word);
  }
}

function flagWord(text: string, start: number): { word: string; end: number; quoted: boolean } {
  let word = '';
  let quote = '';
  let quoted = false;
  let at = start;
  for (; at < text.length; at += 1) {
    const ch = text.charAt(at);
    if (ch === '\\') {
      at += 1;
      word += text.charAt(at);
    } else if (quote !== '') {
      if (ch === quote) quote = '';
      else word += ch;
    } else if (/\s/.test(ch)) {
      break;
    } else if (ch === '"' || ch === "'") {
      quote = ch;
      quoted = true;
    } else {
      word += ch;
    }
  }
  return { word, end: at, quoted };
}
