import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { TestContext } from 'node:test';

/** What goes wrong on the way to a registry. */
export interface Trouble {
  /** Answer everything with this status. */
  status?: number;
  /** Break the connection after so many bytes of a blob; a list is used up, one for each request. */
  cutAfter?: number[];
  /** Change a byte of each blob. */
  corrupt?: boolean;
  /** Wait before each blob. */
  delayMs?: number;
}

export interface FlakyUpstream {
  readonly url: string;
  readonly trouble: Trouble;
  /** `METHOD PATH` of every request. */
  readonly seen: string[];
}

/** A way to a registry on which things can go wrong. */
export async function flakyUpstream(t: TestContext, target: string): Promise<FlakyUpstream> {
  const trouble: Trouble = {};
  const seen: string[] = [];
  const pass = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url = '/' } = incoming;
    seen.push(`${method} ${url}`);
    if (trouble.status !== undefined) {
      response.writeHead(trouble.status).end();
      return;
    }
    const outgoing = request(new URL(url, target), { method, headers: incoming.headers });
    outgoing.end();
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    const isBlob = url.includes('/blobs/sha256:');
    if (isBlob && trouble.delayMs) await new Promise((resolve) => setTimeout(resolve, trouble.delayMs));
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    let left = (isBlob ? trouble.cutAfter?.shift() : undefined) ?? Number.POSITIVE_INFINITY;
    await pipeline(async function* () {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        if (isBlob && trouble.corrupt === true) chunk[0] = (chunk[0] ?? 0) ^ 1;
        yield chunk.subarray(0, left);
        left -= chunk.length;
        if (left > 0) continue;
        response.destroy();
        return;
      }
    }, response);
  };
  const server = createServer((incoming, response) => {
    pass(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, trouble, seen };
}
