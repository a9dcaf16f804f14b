import { statusOf } from '../client/index.ts';
import { EngineError, messageOf } from '../errors/index.ts';
import type { Command } from './command.ts';

/** What a command says of its error: errors of the daemon get Docker's prefix. */
export function errorText(error: unknown): string {
  return statusOf(error) === undefined ? messageOf(error) : `Error response from daemon: ${messageOf(error)}`;
}

/** Prints the error in the style of the command and gives the exit code. */
export function tellError(error: unknown, command: Command, path: string): number {
  const known = error instanceof EngineError || (error instanceof Error && 'code' in error);
  if (!known && error instanceof Error) {
    process.stderr.write(`gantry: ${error.stack ?? error.message}\n`);
    return 1;
  }
  const { errorStyle } = command;
  if (errorStyle === 'run' || (errorStyle === 'create' && statusOf(error) === undefined)) {
    process.stderr.write(`gantry: ${errorText(error)}\n\nRun 'gantry ${path} --help' for more information\n`);
    return runExitCode(error);
  }
  process.stderr.write(`${errorText(error)}\n`);
  return 1;
}

/** 127 and 126 when the container's command was not found or could not be run, as the daemon's text tells. */
export function runExitCode(error: unknown): number {
  if (statusOf(error) === undefined) return 125;
  const text = messageOf(error);
  if (/executable file not found|no such file or directory|system cannot find the file/.test(text))
    return 127;
  if (/permission denied|is a directory/.test(text)) return 126;
  return 125;
}
