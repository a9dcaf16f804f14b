/** What Go's net/url makes of an address; the scheme is in lower case. */
export interface GoUrl {
  readonly scheme: string;
  /** With its port, without who logs in. */
  readonly host: string;
  readonly path: string;
}

/** Parses as Go does where Docker takes an address. Throws an Error with Go's words. [net/url url.go] */
export function parseGoUrl(text: string): GoUrl {
  const fail = (words: string) => new Error(`parse ${JSON.stringify(text)}: ${words}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  if (/[\x00-\x1f\x7f]/.test(text)) throw fail('net/url: invalid control character in URL');
  if (text.startsWith(':')) throw fail('missing protocol scheme');
  const [, scheme = '', all = ''] = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?([^#]*)/.exec(text) ?? [];
  const [rest = ''] = all.split('?');
  const found = { scheme: scheme.toLowerCase(), host: '', path: '' };
  if (!rest.startsWith('/')) {
    if (scheme !== '') return found;
    if ((rest.split('/')[0] ?? '').includes(':'))
      throw fail('first path segment in URL cannot contain colon');
  }
  if (!rest.startsWith('//')) return { ...found, path: unescaped(rest, fail) };
  const [, authority = '', path = ''] = /^\/\/([^/]*)(.*)$/.exec(rest) ?? [];
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  return { ...found, host: hostOf(host, fail), path: unescaped(path, fail) };
}

/** A host with its port as it stood in a URL, taken apart. */
export function hostAndPort({ host }: GoUrl): { readonly host: string; readonly port: string } {
  const [, bracketed, plain = '', port = ''] = /^(?:\[(.*)\]|([^\]]*?))(?::(\d*))?$/.exec(host) ?? [];
  return { host: bracketed ?? plain, port };
}

type Fail = (words: string) => Error;

function hostOf(host: string, fail: Fail): string {
  if (host.startsWith('[') && !host.includes(']')) throw fail("missing ']' in host");
  const at = host.startsWith('[') ? host.lastIndexOf(']') + 1 : host.lastIndexOf(':');
  const port = at === -1 ? '' : host.slice(at);
  if (!/^(:\d*)?$/.test(port)) throw fail(`invalid port ${JSON.stringify(port)} after host`);
  const plain = unescaped(host, fail);
  const wrong = /[ \\^`{|}%]/.exec(plain)?.[0];
  if (wrong !== undefined) throw fail(`invalid character ${JSON.stringify(wrong)} in host name`);
  return plain;
}

function unescaped(text: string, fail: Fail): string {
  const wrong = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text)?.[0];
  if (wrong !== undefined) throw fail(`invalid URL escape ${JSON.stringify(wrong)}`);
  return decodeURIComponent(text);
}
