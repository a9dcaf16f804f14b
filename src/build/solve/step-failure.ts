import { EngineError } from '../../errors/index.ts';

/** Kept as the cause of the error that a failing RUN gives. */
class ExitCode {
  readonly exitCode: number;

  constructor(exitCode: number) {
    this.exitCode = exitCode;
  }
}

/** The error for a RUN whose command ended with a code other than 0. */
export function runFailure(args: readonly string[], exitCode: number): EngineError {
  const message = `The command '${args.join(' ')}' returned a non-zero code: ${exitCode}`;
  return new EngineError('internal', message, { cause: new ExitCode(exitCode) });
}

/** What `errorDetail.code` of a failed build must be: the exit code of the RUN that failed it, if one did. */
export function buildExitCode(error: unknown): number | undefined {
  return error instanceof EngineError && error.cause instanceof ExitCode ? error.cause.exitCode : undefined;
}
