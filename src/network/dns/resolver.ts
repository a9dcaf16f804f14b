import type { Socket } from 'node:net';
import { bindInNamespace } from '../../lib/namespace-socket.ts';
import { run } from '../../lib/run.ts';
import { answer, failureTo, longestQuery } from './answer.ts';
import { Forwarder, withLength } from './forward.ts';
import type { NamedNetwork } from './names.ts';
import { redirectScript, resolverAddress } from './redirect.ts';

const { createSocket } = process.getBuiltinModule('node:dgram');
const { createServer } = process.getBuiltinModule('node:net');

const idleMs = 10_000;

export interface ResolverOptions {
  readonly namespacePath: string;
  /** Asked anew for each query: who is on the container's networks changes all the time. */
  readonly view: () => ResolverView;
}

export interface ResolverView {
  readonly networks: readonly NamedNetwork[];
  /**
   * Other servers to ask, from the container's network; with none the host's are, from the host's. `undefined`: the
   * container sees no one outside.
   */
  readonly servers: readonly string[] | undefined;
}

/**
 * Answers a container's queries on sockets inside its network namespace, on ports of the kernel's choice to which the
 * namespace's own rules redirect 127.0.0.11:53: the container's port 53 stays free.
 */
export async function openResolver(options: ResolverOptions): Promise<Disposable> {
  const reply = replying(options);
  using stack = new DisposableStack();
  let isOpen = true;
  const udp = bindInNamespace(options.namespacePath, 'udp', resolverAddress);
  const datagrams = createSocket('udp4');
  stack.defer(() => {
    datagrams.close();
  });
  datagrams.on('error', () => undefined);
  datagrams.on('message', (query, peer) => {
    void reply(query, 'udp').then((packet) => {
      // The socket may be closed, or the client gone, by then.
      if (packet !== undefined && isOpen) datagrams.send(packet, peer.port, peer.address, () => undefined);
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
    void serve(socket, reply);
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

async function serve(socket: Socket, reply: Reply): Promise<void> {
  let received = Buffer.alloc(0);
  try {
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      while (received.length >= 2) {
        const length = received.readUInt16BE(0);
        if (length > longestQuery) return;
        const end = 2 + length;
        if (received.length < end) break;
        const packet = await reply(received.subarray(2, end), 'tcp');
        if (packet === undefined) return;
        socket.write(withLength(packet));
        received = received.subarray(end);
      }
    }
  } catch {
    // The client went away.
  } finally {
    socket.destroy();
  }
}

type Reply = (query: Buffer, transport: 'udp' | 'tcp') => Promise<Buffer | undefined>;

function replying({ namespacePath, view }: ResolverOptions): Reply {
  const forwarder = new Forwarder(namespacePath);
  return async (query, transport) => {
    const { networks, servers } = view();
    const verdict = answer(query, networks, transport);
    if (verdict.kind === 'ignore') return undefined;
    if (verdict.kind === 'answer') return verdict.packet;
    const packet = servers === undefined ? undefined : await forwarder.ask(query, transport, servers);
    return packet ?? failureTo(query);
  };
}
