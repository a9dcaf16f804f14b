import { EngineError } from '../../errors/index.ts';

/** `space` matters between arguments only: `.A.B` is one path, `.A .B` are two operands. */
export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'field'
  | 'dot'
  | 'variable'
  | 'identifier'
  | 'string'
  | 'number'
  | 'pipe'
  | 'declare'
  | 'assign'
  | 'comma'
  | 'left'
  | 'right';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** True when white space stands before it. */
  readonly spaced: boolean;
  readonly at: number;
}

export function templateError(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

const patterns: readonly (readonly [TokenKind, RegExp])[] = [
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)+'/y],
  ['number', /[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/y],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\./y],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['identifier', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['declare', /:=/y],
  ['assign', /=/y],
  ['pipe', /\|/y],
  ['comma', /,/y],
  ['left', /\(/y],
  ['right', /\)/y],
];

/** Cuts a Go template into tokens; trim markers (`{{-`, `-}}`) and comments are worked off here. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  const addText = (text: string, from: number) => {
    if (text !== '') tokens.push({ kind: 'text', text, spaced: false, at: from });
  };
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    let text = source.slice(at, open === -1 ? undefined : open);
    if (trimNext) text = text.trimStart();
    if (open === -1) {
      addText(text, at);
      break;
    }
    const trimBefore = /^-\s/.test(source.slice(open + 2, open + 4));
    addText(trimBefore ? text.trimEnd() : text, at);
    at = open + (trimBefore ? 3 : 2);
    const comment = /\s*\/\*[\s\S]*?\*\/\s*(-?)\}\}/y;
    comment.lastIndex = at;
    const skipped = comment.exec(source);
    if (skipped !== null) {
      at = comment.lastIndex;
      trimNext = skipped[1] === '-';
      continue;
    }
    tokens.push({ kind: 'open', text: '{{', spaced: false, at: open });
    ({ at, trimNext } = tokenizeAction(source, at, tokens));
  }
  return tokens;
}

function tokenizeAction(source: string, start: number, tokens: Token[]): { at: number; trimNext: boolean } {
  let at = start;
  for (;;) {
    const spaces = /\s*/y;
    spaces.lastIndex = at;
    const spaced = (spaces.exec(source)?.[0].length ?? 0) > 0;
    at = spaces.lastIndex;
    if (source.startsWith('}}', at) || (spaced && source.startsWith('-}}', at))) {
      tokens.push({ kind: 'close', text: '}}', spaced, at });
      const trimNext = source.charAt(at) === '-';
      return { at: at + (trimNext ? 3 : 2), trimNext };
    }
    if (at >= source.length) throw templateError('unclosed action');
    const token = tokenAt(source, at);
    if (token === undefined) {
      throw templateError(`unexpected ${JSON.stringify(source.charAt(at))} in operand`);
    }
    tokens.push({ ...token, spaced, at });
    at += token.text.length;
  }
}

function tokenAt(source: string, at: number): { kind: TokenKind; text: string } | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found !== null) return { kind, text: found[0] };
  }
  return undefined;
}
