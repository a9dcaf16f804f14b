import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from 'node:worker_threads';

/** A forward proxy on loopback that knows hosts nobody else does. It answers while the test's own thread is blocked. */
export interface ForwardProxy {
  readonly url: string;
  /** `METHOD TARGET` of each request so far: a tunnel (CONNECT), or a plain request by its whole URL. */
  seen(): readonly string[];
}

export interface ForwardProxyOptions {
  /** Where requests for HOST:PORT go, as ADDRESS:PORT; for any other host the answer is 502. */
  readonly hosts: Readonly<Record<string, string>>;
  /** `user:password`; a request without them is answered 407. */
  readonly credentials: string;
}

export async function startForwardProxy(
  t: { after(cleanUp: () => unknown): void },
  options: ForwardProxyOptions,
): Promise<ForwardProxy> {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(import.meta.filename, {
    workerData: { options, log: port2 } satisfies Start,
    transferList: [port2],
  });
  t.after(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  const seen: string[] = [];
  return {
    url: `http://${options.credentials}@127.0.0.1:${port}`,
    seen: () => {
      for (let one = receiveMessageOnPort(port1); one !== undefined; one = receiveMessageOnPort(port1)) {
        seen.push(String(one.message));
      }
      return seen;
    },
  };
}

interface Start {
  readonly options: ForwardProxyOptions;
  readonly log: MessagePort;
}

async function serve({ options, log }: Start): Promise<number> {
  const wanted = `Basic ${btoa(options.credentials)}`;
  const refusal = (incoming: IncomingMessage, host: string) => {
    if (incoming.headers['proxy-authorization'] !== wanted) return '407 Proxy Authentication Required';
    return options.hosts[host] === undefined ? '502 Bad Gateway' : undefined;
  };

  const forward = (incoming: IncomingMessage, answer: ServerResponse) => {
    log.postMessage(`${incoming.method} ${incoming.url}`);
    const { hostname, port, pathname, search } = new URL(incoming.url ?? '');
    const host = `${hostname}:${port || 80}`;
    const refused = refusal(incoming, host);
    if (refused !== undefined) {
      answer.writeHead(Number(refused.slice(0, 3))).end();
      return;
    }
    const { method = 'GET', headers } = incoming;
    const outgoing = request(`http://${options.hosts[host]}${pathname}${search}`, { method, headers });
    outgoing.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    incoming.pipe(outgoing);
  };

  const tunnel = (incoming: IncomingMessage, socket: Socket) => {
    log.postMessage(`CONNECT ${incoming.url}`);
    const host = incoming.url ?? '';
    const refused = refusal(incoming, host);
    socket.on('error', () => undefined);
    if (refused !== undefined) {
      socket.end(`HTTP/1.1 ${refused}\r\n\r\n`);
      return;
    }
    const [address = '', port] = (options.hosts[host] ?? '').split(':');
    const other = connect(Number(port), address, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(other).pipe(socket);
    });
    other.on('error', () => socket.destroy());
    socket.on('close', () => other.destroy());
  };

  const server = createServer(forward).on('connect', tunnel);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

if (!isMainThread) {
  const { parentPort } = await import('node:worker_threads');
  parentPort?.postMessage(await serve(workerData as Start));
}
