import assert from 'node:assert/strict';
import test from 'node:test';
import { proxyOf } from './http-proxy.ts';

const proxies = { httpProxy: 'proxy:3128', httpsProxy: 'https://user:pw@secure:3129', noProxy: '' };

test('proxyOf() goes by the scheme, and leaves loopback alone', () => {
  const through = (url: string) => proxyOf(new URL(url), proxies);
  assert.equal(through('http://example.com/x'), 'http://proxy:3128');
  assert.equal(through('https://example.com/x'), 'https://user:pw@secure:3129');
  for (const host of ['localhost:5000', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000']) {
    assert.equal(through(`http://${host}/`), undefined, host);
  }
  assert.equal(proxyOf(new URL('https://x/'), { httpProxy: 'p', httpsProxy: '', noProxy: '' }), undefined);
});

test('proxyOf() keeps to NO_PROXY', () => {
  for (const [noProxy, host, direct] of [
    ['*', 'example.com', true],
    ['example.com', 'example.com', true],
    ['example.com', 'EXAMPLE.com', true],
    ['example.com', 'a.example.com', true],
    ['example.com', 'badexample.com', false],
    ['.example.com', 'a.example.com', true],
    ['.example.com', 'example.com', false],
    ['*.example.com', 'a.example.com', true],
    ['example.com:443', 'example.com', false],
    ['example.com:80', 'example.com', true],
    ['example.com:5000', 'example.com:5000', true],
    ['10.0.0.0/8', '10.1.2.3:5000', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.0.0.0/99', '10.1.2.3', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3:81', '10.1.2.3', false],
    ['fd00::/8', '[fd00::1]', true],
    ['fd00::1', '[fd00::1]:5000', true],
    ['[fd00::1]:5000', '[fd00::1]:5000', true],
    ['[fd00::1]:5001', '[fd00::1]:5000', false],
    [' a , example.com ,', 'example.com', true],
    [',', 'example.com', false],
  ] as const) {
    const proxy = proxyOf(new URL(`http://${host}/`), { ...proxies, noProxy });
    assert.equal(proxy, direct ? undefined : 'http://proxy:3128', `${noProxy} ${host}`);
  }
});
