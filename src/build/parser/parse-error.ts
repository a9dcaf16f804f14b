import { EngineError } from '../../errors/index.ts';

/** The error for a Dockerfile that cannot be understood; `line` is where its instruction starts. */
export function parseError(line: number, problem: string, cause?: unknown): EngineError {
  return new EngineError('invalidArgument', `dockerfile parse error on line ${line}: ${problem}`, { cause });
}
