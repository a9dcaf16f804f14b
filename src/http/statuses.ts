import { codeOf, type ErrorCode, messageOf } from '../errors/index.ts';

/** The HTTP status of each error code. A full disk is the engine's trouble, not the client's. */
export const statusOf = {
  invalidArgument: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  notModified: 304,
  notImplemented: 501,
  unavailable: 503,
  outOfSpace: 500,
  internal: 500,
  // The client has gone; the number is only for the access log.
  cancelled: 499,
} as const satisfies Record<ErrorCode, number>;

/** Status and text for whatever a handler threw, Fastify's own errors included. */
export function describeError(error: unknown): { readonly status: number; readonly message: string } {
  const message = messageOf(error);
  const own = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (typeof own === 'number' && own >= 400 && own < 500) return { status: own, message };
  return { status: statusOf[codeOf(error)], message };
}
