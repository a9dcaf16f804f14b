import { EngineError, hasErrno } from '../../errors/index.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `-e K=V`, or `-e K`, which takes the caller's value; without one the bare name takes the image's value away. */
export function resolveEnv(entries: readonly string[], environment: Environment): string[] {
  return entries.map((entry) => {
    const value = entry.includes('=') ? undefined : environment[entry];
    return value === undefined ? entry : `${entry}=${value}`;
  });
}

/**
 * The entries of an env file: a line is `K=V` or `K` (the caller's value, if there is one), `#` starts a comment, nothing is unquoted.
 * Throws Docker's text with the line.
 */
export function parseEnvFile(content: string, name: string, environment: Environment): string[] {
  return lines(content, name).flatMap((line) => {
    const key = line.split('=', 1)[0] ?? '';
    if (key === '') throw complaint(name, `no variable name on line '${line}'`);
    if (/\s/.test(key.trimStart())) throw complaint(name, `variable '${key}' contains whitespaces`);
    return resolveEnv([line.trimStart()], environment).filter((entry) => entry.includes('='));
  });
}

/** The entries of a label file: `K=V` or `K`. */
export function parseLabelFile(content: string, name: string): string[] {
  return lines(content, name).map((line) => {
    const key = line.split('=', 1)[0] ?? '';
    if (key === '') throw complaint(name, `no variable name on line '${line}'`);
    return line.trimStart();
  });
}

function lines(content: string, name: string): string[] {
  if (content.includes('\uFFFD')) throw complaint(name, 'invalid utf8 bytes');
  return content
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
}

function complaint(name: string, reason: string): EngineError {
  return new EngineError('invalidArgument', `poorly formatted environment: ${reason} (${name})`);
}

/** Go's words for a file that cannot be opened. */
export function openError(path: string, error: unknown): unknown {
  const reason = hasErrno(error, 'ENOENT')
    ? 'no such file or directory'
    : hasErrno(error, 'EACCES')
      ? 'permission denied'
      : hasErrno(error, 'EISDIR')
        ? 'is a directory'
        : undefined;
  if (reason === undefined) return error;
  return new EngineError('invalidArgument', `open ${path}: ${reason}`, { cause: error });
}
