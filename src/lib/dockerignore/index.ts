export { globToRegExp, hasWildcard } from './glob.ts';
export { ignoreMatcher, parseIgnoreFile } from './ignore-file.ts';
