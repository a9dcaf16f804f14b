import type { ProxyConfig } from '../../src/lib/http-proxy.ts';

export const noProxies: ProxyConfig = { httpProxy: '', httpsProxy: '', noProxy: '' };
