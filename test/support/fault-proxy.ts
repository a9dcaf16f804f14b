import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** What is done to one exchange; nothing passes it on. */
export type Fault =
  /** It is asked later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The connection breaks after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** It says nothing more after so many bytes, and stays open. */
  | { readonly kind: 'stall'; readonly after: number }
  /** Another answer. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The answer's body is another one, with a Content-Length that fits. */
  | { readonly kind: 'body'; readonly change: (body: Buffer) => Buffer }
  /** The connection breaks after so many bytes of the request's body; the registry has taken them. */
  | { readonly kind: 'cutRequest'; readonly after: number }
  /** The connection breaks when the registry has done what was asked, before it says so. */
  | { readonly kind: 'cutAnswer' };

/** Stands before a registry and does to its answers what networks and bad servers do. */
export class FaultProxy {
  readonly seen: Seen[] = [];
  readonly #server: Server;
  readonly #target: string;
  readonly #open = new Set<ServerResponse>();
  faultFor: (request: Seen) => Fault | undefined = () => undefined;

  constructor(target: string) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => {
      this.#open.add(outgoing);
      outgoing.once('close', () => this.#open.delete(outgoing));
      this.#handle(incoming, outgoing).catch(() => outgoing.destroy());
    });
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** Requests whose method and path match. */
  count(method: string, path: RegExp): number {
    return this.seen.filter((one) => one.method === method && path.test(one.path)).length;
  }

  async stop(): Promise<void> {
    for (const response of this.#open) response.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const seen = { method, path: url, headers };
    this.seen.push(seen);
    const given = this.faultFor(seen);
    if (given?.kind === 'delay') await sleep(given.ms);
    const fault = given?.kind === 'delay' ? undefined : given;
    if (fault?.kind === 'answer') {
      incoming.resume();
      await once(incoming, 'end');
      outgoing.writeHead(fault.status, fault.headers);
      outgoing.end(fault.body);
      return;
    }
    const onward = request(`http://${this.#target}${url}`, { method, headers, agent: false });
    onward.on('error', () => outgoing.destroy());
    if (fault?.kind === 'cutRequest') {
      const { socket } = incoming;
      let sent = 0;
      for await (const chunk of incoming) {
        onward.write((chunk as Buffer).subarray(0, Math.max(0, fault.after - sent)));
        sent += (chunk as Buffer).length;
        if (sent >= fault.after) break;
      }
      // The registry gets time to take what was sent, as it would have on a slow line.
      setTimeout(() => {
        onward.destroy();
        socket.destroy();
      }, 100);
      return;
    }
    incoming.pipe(onward);
    const [answer] = (await once(onward, 'response')) as [IncomingMessage];
    const status = answer.statusCode ?? 500;
    if (fault === undefined) {
      outgoing.writeHead(status, answer.headers);
      answer.pipe(outgoing);
      return;
    }
    const body = await buffer(answer);
    if (fault.kind === 'cutAnswer') {
      outgoing.destroy();
      return;
    }
    if (fault.kind === 'body') {
      const changed = fault.change(body);
      outgoing.writeHead(status, { ...answer.headers, 'content-length': changed.length });
      outgoing.end(changed);
      return;
    }
    outgoing.writeHead(status, answer.headers);
    outgoing.flushHeaders();
    if (fault.after >= body.length) {
      outgoing.end(body);
      return;
    }
    outgoing.write(body.subarray(0, fault.after), () => {
      if (fault.kind === 'cut') outgoing.destroy();
    });
  }
}

/** A proxy for one test. */
export async function startFaultProxy(
  t: { after(cleanUp: () => Promise<void>): void },
  target: string,
): Promise<FaultProxy> {
  const proxy = new FaultProxy(target);
  await proxy.start();
  t.after(() => proxy.stop());
  return proxy;
}
