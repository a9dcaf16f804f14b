import { EngineError } from '../../errors/index.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import { discard } from './body.ts';
import type { Endpoint } from './endpoints.ts';
import { refusalOf } from './failure.ts';
import type { Http, HttpResponse } from './http.ts';

/** What a ping told: the endpoint speaks the API, and how it wants to be asked. */
export interface Answering {
  readonly endpoint: Endpoint;
  readonly response: HttpResponse;
}

/** A registry that was reached is not looked for again for so long. */
const rememberMs = 300_000;

/** Finds out which of a registry's endpoints answer, once for many requests. */
export class Connections {
  readonly #http: Http;
  readonly #known = new Map<string, { readonly answer: Promise<HttpResponse>; readonly atMs: number }>();

  constructor(http: Http) {
    this.#http = http;
  }

  /** The first of the endpoints that answers. Rejects with the last one's error when none does. */
  async first(endpoints: readonly Endpoint[], signal?: AbortSignal): Promise<Answering> {
    let last: unknown = new EngineError('invalidArgument', 'no endpoint of the registry is known');
    for (const endpoint of endpoints) {
      try {
        signal?.throwIfAborted();
        // Others may wait for the same ping: it goes on when this caller leaves.
        return { endpoint, response: await raceAbort(this.#ping(endpoint.base), signal) };
      } catch (error) {
        signal?.throwIfAborted();
        last = error;
      }
    }
    throw last;
  }

  async #ping(base: string): Promise<HttpResponse> {
    const known = this.#known.get(base);
    if (known !== undefined && known.atMs + rememberMs > Date.now()) return known.answer;
    const answer = this.#ask(base);
    this.#known.set(base, { answer, atMs: Date.now() });
    // A failure is not remembered: the registry may be there the next time.
    answer.catch(() => this.#known.delete(base));
    return answer;
  }

  async #ask(base: string): Promise<HttpResponse> {
    const url = new URL(`${base}/v2/`);
    const response = await this.#http.send({ method: 'GET', url });
    if (response.status >= 500 || response.status === 429) throw await refusalOf(response);
    await discard(response);
    return response;
  }
}
