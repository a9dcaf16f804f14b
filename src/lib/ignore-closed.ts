import { hasErrno } from '../errors/index.ts';

/** For the errors of a pipe: what a process that ended or closed its input did not read is nobody's error. */
export function ignoreClosed(error: Error): void {
  if (!hasErrno(error, 'EPIPE') && !hasErrno(error, 'ECONNRESET')) throw error;
}
