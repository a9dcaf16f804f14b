import type { Engine } from '../engine/index.ts';
import type { Calls } from './calls.ts';

/** What every group of routes gets. */
export interface RouteContext {
  readonly engine: Engine;
  readonly calls: Calls;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Minor number of the API version the client speaks. */
    api: number;
  }
}

export interface IdParams {
  readonly Params: { readonly id: string };
}

export interface NameParams {
  readonly Params: { readonly name: string };
}

/** What `*` matched, e.g. `team/app:1/json`. */
export interface RestParams {
  readonly Params: { readonly '*': string };
}
