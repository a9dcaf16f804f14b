import { expandWords } from '../shell/expand.ts';
import type { Heredoc } from './ast.ts';

const pattern = /^(\d*)<<(-?)\s*([^<]*)$/;
const opening = /^\d*<<-?$/;

/** Reads one word as the start of a heredoc; `undefined` if it is none. Throws for unbalanced quotes. */
export function parseHeredoc(word: string): Omit<Heredoc, 'content'> | undefined {
  const match = pattern.exec(word);
  const [, fd = '', chomp, rest = ''] = match ?? [];
  if (match === null || rest === '') return undefined;
  const options = { escape: '\\', variables: () => undefined, keepUnset: true };
  const [name, ...more] = expandWords(rest, options);
  if (name === undefined || more.length > 0) return undefined;
  const [raw] = expandWords(rest, { ...options, rawQuotes: true });
  return { name, expand: raw === name, chomp: chomp === '-', fd: fd === '' ? 0 : Number(fd) };
}

/** The heredocs a line opens, in order. */
export function heredocsOf(line: string): Omit<Heredoc, 'content'>[] {
  return rawWords(line).flatMap((word) => parseHeredoc(word) ?? []);
}

/** Splits at blanks outside quotes, leaving quotes and escapes; `<< EOF` is one word. Unbalanced quotes: no words. */
function rawWords(line: string): string[] {
  const words: string[] = [];
  let word = '';
  for (let at = 0; at < line.length; at += 1) {
    const ch = line.charAt(at);
    if (/\s/.test(ch)) {
      if (opening.test(word.trimEnd())) word += ch;
      else if (word !== '') {
        words.push(word);
        word = '';
      }
    } else if (ch === '"' || ch === "'") {
      const end = closing(line, at);
      if (end === -1) return [];
      word += line.slice(at, end + 1);
      at = end;
    } else if (ch === '\\') {
      word += line.slice(at, at + 2);
      at += 1;
    } else {
      word += ch;
    }
  }
  return word === '' ? words : [...words, word];
}

function closing(line: string, start: number): number {
  const quote = line.charAt(start);
  for (let at = start + 1; at < line.length; at += 1) {
    if (line.charAt(at) === quote) return at;
    if (line.charAt(at) === '\\' && quote === '"') at += 1;
  }
  return -1;
}
