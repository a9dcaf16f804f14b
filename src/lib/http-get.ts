import type { Dispatcher } from 'undici';
import { EngineError, messageOf } from '../errors/index.ts';
import { type ProxyConfig, proxyOf } from './http-proxy.ts';

/**
 * Opens a URL of a client's choice. Rejects in Docker's words: `unavailable` when nobody answers, `invalidArgument`
 * when the answer is no success.
 */
export type HttpGet = (url: string, signal: AbortSignal) => Promise<HttpAnswer>;

/** A successful answer; its body is to be read or cancelled. */
export type HttpAnswer = Pick<Response, 'headers' | 'body'>;

/** Gets through the proxies, each host of a redirect through its own. The library is loaded by the first request. */
export function createHttpGet(proxies: ProxyConfig): HttpGet & AsyncDisposable {
  let agent: Dispatcher | undefined;
  const get = async (url: string, signal: AbortSignal): Promise<HttpAnswer> => {
    const undici = await import('undici');
    agent ??= new undici.Agent({
      factory: (origin, options) => {
        const uri = proxyOf(new URL(origin), proxies);
        return uri === undefined ? new undici.Pool(origin, options) : new undici.ProxyAgent({ uri });
      },
    });
    const response = await undici.fetch(url, { signal, dispatcher: agent }).catch((error: unknown) => {
      signal.throwIfAborted();
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new EngineError('unavailable', `Get "${url}": ${messageOf(cause)}`, { cause: error });
    });
    if (response.ok) return response;
    await response.body?.cancel();
    throw new EngineError(
      'invalidArgument',
      `failed to GET ${url} with status ${response.status} ${response.statusText}`,
    );
  };
  return Object.assign(get, {
    [Symbol.asyncDispose]: async () => {
      await agent?.destroy();
    },
  });
}
