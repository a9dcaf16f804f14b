import { randomBytes } from 'node:crypto';

/** 64 hex digits: the id of a container, exec, network or anonymous volume. */
export function randomId(): string {
  return randomBytes(32).toString('hex');
}

/** The first 12 characters after any `algorithm:`. */
export function shortId(id: string): string {
  return id.slice(id.indexOf(':') + 1).slice(0, 12);
}
