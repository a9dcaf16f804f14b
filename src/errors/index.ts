/** The closed set of reasons an operation can fail for. Each edge (HTTP, CLI, registry) maps them once. */
export type ErrorCode =
  | 'invalidArgument'
  | 'notFound'
  | 'conflict'
  | 'notModified'
  | 'unauthorized'
  | 'forbidden'
  | 'unavailable'
  | 'notImplemented'
  | 'cancelled'
  | 'outOfSpace'
  | 'internal';

export interface EngineErrorOptions {
  readonly cause?: unknown;
}

/** The one error class of the engine: a code for machines, a message for people, the cause kept. */
export class EngineError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: EngineErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }
}

/** The code of any thrown value; a failed dispose does not hide the error that came before it. */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof SuppressedError) return codeOf(error.suppressed);
  if (error instanceof EngineError) return error.code;
  if (isAbortError(error)) return 'cancelled';
  if (hasErrno(error, 'ENOSPC') || hasErrno(error, 'EDQUOT')) return 'outOfSpace';
  return 'internal';
}

export function messageOf(error: unknown): string {
  if (error instanceof SuppressedError) return messageOf(error.suppressed);
  return error instanceof Error ? error.message : String(error);
}

export function isCode(error: unknown, code: ErrorCode): boolean {
  return codeOf(error) === code;
}

/** The errno of a Node system error, or Node's own code: `ENOENT`, `ERR_STREAM_PREMATURE_CLOSE`. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** True for a Node system error with this errno name, e.g. `hasErrno(error, 'ENOENT')`. */
export function hasErrno(error: unknown, errno: string): boolean {
  return error instanceof Error && 'code' in error && error.code === errno;
}

export function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
