import type { Socket } from 'node:net';
import { bindInNamespace } from '../../lib/namespace-socket.ts';
import { run } from '../../lib/run.ts';
import { answer, failureTo } from './answer.ts';
import { type Forwarder, withLength } from './forward.ts';
import type { NamedNetwork } from './names.ts';
import { redirectScript, resolverAddress } from './redirect.ts';

const { createSocket } = process.getBuiltinModule('node:dgram');
const { createServer } = process.getBuiltinModule('node:net');

const idleMs = 10_000;
const longestMessage = 4096;

export interface ResolverOptions {
  readonly namespacePath: string;
  readonly forwarder: Forwarder;
  /** Asked anew for each query: who is on the container's networks changes all the time. */
  readonly view: () => ResolverView;
}

export interface ResolverView {
  readonly networks: readonly NamedNetwork[];
  /** Other servers to ask; none are the host's. `undefined`: the container sees no one outside. */
  readonly servers: readonly string[] | undefined;
}

/**
 * Answers a container's queries on sockets inside its network namespace, on ports of the kernel's choice to which the
 * namespace's own rules redirect 127.0.0.11:53: the container's port 53 stays free.
 */
export async function openResolver(options: ResolverOptions): Promise<Disposable> {
  using stack = new DisposableStack();
  let isOpen = true;
  const udp = bindInNamespace(options.namespacePath, 'udp', resolverAddress);
  const datagrams = createSocket('udp4');
  stack.defer(() => {
    datagrams.close();
  });
  datagrams.on('error', () => undefined);
  datagrams.on('message', (query, peer) => {
    void replyTo(query, 'udp', options).then((reply) => {
      // The socket may be closed, or the client gone, by then.
      if (reply !== undefined && isOpen) datagrams.send(reply, peer.port, peer.address, () => undefined);
    });
  });
  datagrams.bind({ fd: udp.fd });
  datagrams.unref();

  const tcp = bindInNamespace(options.namespacePath, 'tcp', resolverAddress);
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    socket.on('error', () => undefined).setTimeout(idleMs, () => socket.destroy());
    void serve(socket, options);
  });
  server.listen({ fd: tcp.fd });
  server.unref();
  stack.defer(() => {
    isOpen = false;
    server.close();
    for (const socket of connections) socket.destroy();
  });

  await run('nsenter', [`--net=${options.namespacePath}`, 'nft', '-f', '-'], {
    input: redirectScript({ udp: udp.port, tcp: tcp.port }),
  });
  return stack.move();
}

async function serve(socket: Socket, options: ResolverOptions): Promise<void> {
  let received = Buffer.alloc(0);
  try {
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      while (received.length >= 2) {
        const end = 2 + received.readUInt16BE(0);
        if (end > longestMessage) return;
        if (received.length < end) break;
        const reply = await replyTo(received.subarray(2, end), 'tcp', options);
        if (reply === undefined) return;
        socket.write(withLength(reply));
        received = received.subarray(end);
      }
    }
  } catch {
    // The client went away.
  } finally {
    socket.destroy();
  }
}

async function replyTo(
  query: Buffer,
  transport: 'udp' | 'tcp',
  { view, forwarder }: ResolverOptions,
): Promise<Buffer | undefined> {
  const { networks, servers } = view();
  const verdict = answer(query, networks, transport);
  if (verdict.kind === 'ignore') return undefined;
  if (verdict.kind === 'answer') return verdict.packet;
  const reply = servers === undefined ? undefined : await forwarder.ask(query, transport, servers);
  return reply ?? failureTo(query);
}
