import { posix } from 'node:path';
import { EngineError } from '../../errors/index.ts';
import { globToRegExp } from './glob.ts';

/** The patterns of a .dockerignore file, cleaned, in order. */
export function parseIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const trimmed = line.trim();
    if (line.startsWith('#') || trimmed === '') continue;
    const negated = trimmed.startsWith('!');
    const pattern = (negated ? trimmed.slice(1) : trimmed).trim();
    patterns.push((negated ? '!' : '') + (pattern === '' ? '' : withoutLeadingSlash(clean(pattern))));
  }
  return patterns;
}

/** Whether a path, relative to the context, is kept out of it. */
export type IgnoreMatcher = (path: string) => boolean;

/**
 * Compiles patterns: the last one that matches the path or one of its parents decides.
 * Throws `invalidArgument` for bad syntax and for a lone `!`.
 */
export function ignoreMatcher(patterns: readonly string[]): IgnoreMatcher {
  const rules = patterns.flatMap((text) => {
    const trimmed = text.trim();
    if (trimmed === '') return [];
    if (trimmed === '!') throw new EngineError('invalidArgument', 'illegal exclusion pattern: "!"');
    const ignores = !trimmed.startsWith('!');
    const pattern = clean(ignores ? trimmed : trimmed.slice(1));
    return [{ ignores, matcher: globToRegExp(pattern, { doubleStar: true }) }];
  });
  return (path) => {
    const candidates = withParents(path.replace(/(?<=.)\/+$/, ''));
    let ignored = false;
    for (const { ignores, matcher } of rules) {
      if (ignores !== ignored && candidates.some((one) => matcher.test(one))) ignored = ignores;
    }
    return ignored;
  };
}

function withParents(path: string): string[] {
  const all = [path];
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    all.push(path.slice(0, slash));
  }
  return all;
}

function clean(pattern: string): string {
  return posix.normalize(pattern).replace(/(?<=.)\/$/, '');
}

function withoutLeadingSlash(pattern: string): string {
  return pattern.length > 1 && pattern.startsWith('/') ? pattern.slice(1) : pattern;
}
