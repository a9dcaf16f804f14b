import type { IncomingMessage } from 'node:http';
import type { Action } from '../protocol/exchange.ts';

/** One thing a request needs. */
export interface Access {
  readonly repository: string;
  readonly actions: readonly Action[];
}

/** Who sent a request, as far as is known. */
export interface Caller {
  /** Undefined for one who did not log in. */
  readonly user?: string;
  /** It has a token that covers some things: for others it can fetch another. */
  readonly byToken: boolean;
  may(repository: string, action: Action): boolean;
}

/** Decides who may do what. */
export interface Authorizer {
  /** Rejects with UNAUTHORIZED when the request has credentials that are not right. */
  identify(request: IncomingMessage): Promise<Caller>;
  /**
   * The WWW-Authenticate header for a request that lacks access, or whose credentials were wrong; undefined where
   * nobody ever has to log in.
   */
  challenge(request: IncomingMessage, needed: readonly Access[]): string | undefined;
}

/** A registry without any authentication: everybody may do everything. */
export const everybody: Authorizer = {
  identify: async () => ({ byToken: false, may: () => true }),
  challenge: () => undefined,
};
