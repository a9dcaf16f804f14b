export { globToRegExp, hasWildcard } from './glob.ts';
export { type IgnoreMatcher, ignoreMatcher, parseIgnoreFile } from './ignore-file.ts';
