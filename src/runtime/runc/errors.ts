import { EngineError, type ErrorCode } from '../../errors/index.ts';

/**
 * The message in a runtime's standard error (`--log-format json`: one object a line): the last error, or all of
 * the text if it is not JSON.
 */
export function runtimeMessage(output: string): string {
  let message: string | undefined;
  for (const line of output.split('\n')) {
    if (!line.startsWith('{')) continue;
    try {
      const entry = JSON.parse(line) as { level?: string; msg?: string };
      if (entry.level === 'error' || entry.level === 'fatal') message = entry.msg;
    } catch (error) {
      // conmon passes on the first 8 KiB only, so the last line may be cut.
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return message ?? output.trim();
}

/** Docker's text for a container that could not be created. [moby daemon/errors.go, containerd shim] */
export function createError(program: string, output: string): EngineError {
  const prefix = 'failed to create task for container: failed to create shim task: OCI runtime create failed';
  return commandError(prefix, createText(program, runtimeMessage(output)));
}

export function execError(program: string, output: string): EngineError {
  const message = runtimeMessage(output);
  return commandError('OCI runtime exec failed', program === 'crun' ? `exec failed: ${message}` : message);
}

function createText(program: string, message: string): string {
  return program === 'crun' ? `crun: ${message}` : message;
}

function commandError(prefix: string, message: string): EngineError {
  const file = /\bmkdir (.+): not a directory$/.exec(message)?.[1];
  if (file !== undefined) {
    return new EngineError('invalidArgument', `Cannot mkdir: ${file} is not a directory`);
  }
  const hint = message.includes('not a directory')
    ? ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type'
    : '';
  return new EngineError(codeOfMessage(message), `${prefix}: ${message}: unknown${hint}`);
}

/** The texts that clients and the state's exit code (126, 127) tell a bad command by. */
const causedByRequest = [
  'executable file not found',
  'no such file or directory',
  'permission denied',
  'is a directory',
  'not a directory',
  'unable to find user',
  'no matching entries',
];

function codeOfMessage(message: string): ErrorCode {
  const text = message.toLowerCase();
  return causedByRequest.some((part) => text.includes(part)) ? 'invalidArgument' : 'internal';
}
