import { messageOf } from '../errors/index.ts';

/** The exit code a failed start leaves, from the runtime's words. [moby daemon/errors.go] */
export function startExitCode(error: unknown): number {
  const text = messageOf(error).toLowerCase();
  const has = (...words: readonly string[]) => words.some((word) => text.includes(word));
  if (has('executable file not found', 'no such file or directory', 'system cannot find the file specified'))
    return 127;
  if (has('permission denied', 'is a directory')) return 126;
  return 128;
}
