import type { IncomingMessage, ServerResponse } from 'node:http';
import { RegistryError } from './registry-error.ts';

export type Headers = Readonly<Record<string, string | number | readonly string[]>>;

/** One request with its answer to be. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly query: URLSearchParams;
  /** Aborts when the client goes away or the server's patience ends. */
  readonly signal: AbortSignal;
  /** The request's body, watched for clients that send too slowly. */
  readonly body: AsyncIterable<Buffer>;
  /** May the caller do this as well? For work that only some callers get, like a mount. */
  readonly may: (repository: string, action: Action) => boolean;
}

/** What one can do to a repository. */
export type Action = 'pull' | 'push' | 'delete';

/** Answers without a body, or with a small one. */
export function answer(
  { response, method }: Exchange,
  status: number,
  headers: Headers = {},
  body: string | Buffer = '',
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  // For HEAD the length is that of the body of a GET; 204 and 304 have none.
  if (!response.hasHeader('content-length') && status !== 204 && status !== 304) {
    response.setHeader('content-length', Buffer.byteLength(body));
  }
  response.statusCode = status;
  if (method === 'HEAD' || body.length === 0) response.end();
  else response.end(body);
}

export function answerJson(exchange: Exchange, value: unknown, headers: Headers = {}): void {
  answer(exchange, 200, { 'content-type': 'application/json', ...headers }, JSON.stringify(value));
}

/** Reads a body of at most `maxBytes`. Throws SIZE_INVALID with status 413 as soon as it is known to be longer. */
export async function readBody({ request, body }: Exchange, maxBytes: number): Promise<Buffer> {
  const tooLarge = () =>
    new RegistryError('SIZE_INVALID', `the content is larger than ${maxBytes} bytes`, { status: 413 });
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** The Content-Length of the request, if it says one. */
export function lengthOf({ request }: Exchange): number | undefined {
  const header = request.headers['content-length'];
  return header === undefined ? undefined : Number(header);
}

/** The value of a query parameter that is a count. Throws PAGINATION_NUMBER_INVALID. */
export function pageOf(query: URLSearchParams): { readonly n?: number; readonly last?: string } {
  const n = query.get('n');
  const last = query.get('last');
  if (n !== null && !/^\d{1,9}$/.test(n)) {
    throw new RegistryError('PAGINATION_NUMBER_INVALID', 'invalid number of results requested', {
      detail: { n },
    });
  }
  return { ...(n === null ? {} : { n: Number(n) }), ...(last === null ? {} : { last }) };
}

/** Cuts a page out of an ordered list; `Link` tells where the next begins. */
export function paginate(
  names: readonly string[],
  { n, last }: { readonly n?: number; readonly last?: string },
  path: string,
): { readonly names: readonly string[]; readonly headers: Headers } {
  const after = last === undefined ? names : names.filter((name) => name > last);
  if (n === undefined || after.length <= n) return { names: after, headers: {} };
  const page = after.slice(0, n);
  const end = page.at(-1);
  if (end === undefined) return { names: page, headers: {} };
  return { names: page, headers: { link: `<${path}?n=${n}&last=${encodeURIComponent(end)}>; rel="next"` } };
}
