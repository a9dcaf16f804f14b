import type { ProxyConfig } from '../lib/http-proxy.ts';

/** `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in upper or else in lower case. */
export function environmentProxies(environment: NodeJS.ProcessEnv = process.env): ProxyConfig {
  const read = (name: string) => environment[name] || environment[name.toLowerCase()] || '';
  return Object.freeze({
    httpProxy: read('HTTP_PROXY'),
    httpsProxy: read('HTTPS_PROXY'),
    noProxy: read('NO_PROXY'),
  });
}
