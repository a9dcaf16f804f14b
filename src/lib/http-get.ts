import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { EngineError, messageOf } from '../errors/index.ts';
import { type ProxyConfig, proxyOf } from './http-proxy.ts';

/**
 * Opens a URL of a client's choice. Rejects in Docker's words: `unavailable` when nobody answers, `invalidArgument`
 * when the answer is no success.
 */
export type HttpGet = (url: string, signal: AbortSignal) => Promise<HttpAnswer>;

/** A successful answer; its body is to be read or destroyed. */
export interface HttpAnswer {
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Readable;
}

const maxRedirections = 10;

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
    const dispatcher = agent.compose(
      undici.interceptors.redirect({ maxRedirections, throwOnMaxRedirect: true }),
    );
    const answer = await undici
      .request(url, { dispatcher, signal, headers: { 'accept-encoding': 'gzip', 'user-agent': 'gantry' } })
      .catch((error: unknown) => {
        signal.throwIfAborted();
        throw new EngineError('unavailable', `Get "${url}": ${messageOf(error)}`, { cause: error });
      });
    const { statusCode, statusText, body } = answer;
    body.on('error', () => undefined); // Who reads it gets it.
    if (statusCode >= 200 && statusCode < 300) return decoded(answer);
    body.destroy();
    throw new EngineError('invalidArgument', `failed to GET ${url} with status ${statusCode} ${statusText}`);
  };
  return Object.assign(get, {
    [Symbol.asyncDispose]: async () => {
      await agent?.destroy();
    },
  });
}

/** As Go does it: only `gzip` was asked for, so anything else that the server says of the content stays as it is. */
function decoded({ headers: all, body }: Dispatcher.ResponseData): HttpAnswer {
  const headers = new Map<string, string>();
  for (const [name, value = ''] of Object.entries(all)) headers.set(name, [value].flat().join(', '));
  if (headers.get('content-encoding')?.toLowerCase() !== 'gzip') return { headers, body };
  headers.delete('content-length');
  const plain = createGunzip();
  plain.on('error', () => undefined);
  pipeline(body, plain, () => undefined);
  return { headers, body: plain };
}
