import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';

/** As docker-proxy's. */
const idleMs = 90_000;
const mostClients = 1024;

/** What a container is sent on, by its address. */
interface Target {
  readonly address: string;
  readonly port: number;
}

interface Client {
  send(message: Buffer): void;
  close(): void;
}

/**
 * Sends what comes to a bound socket on to a container, for each client from a port of its own, and the answers back.
 * The client that has been silent the longest makes room for one too many.
 */
export function relayDatagrams(server: Socket, target: Target): Disposable {
  const clients = new Map<string, Client>();
  const open = (key: string, from: RemoteInfo): Client => {
    const client = openClient(server, { from, target, onClose: () => clients.delete(key) });
    if (clients.size >= mostClients) clients.values().next().value?.close();
    return client;
  };
  server.on('message', (message, from) => {
    const key = `${from.address} ${from.port}`;
    const client = clients.get(key) ?? open(key, from);
    // In the order of their last datagrams.
    clients.delete(key);
    clients.set(key, client);
    client.send(message);
  });
  return {
    [Symbol.dispose]: () => {
      for (const client of [...clients.values()]) client.close();
    },
  };
}

interface ClientOptions {
  readonly from: RemoteInfo;
  readonly target: Target;
  readonly onClose: () => void;
}

function openClient(server: Socket, { from, target, onClose }: ClientOptions): Client {
  const socket = createSocket('udp4').unref();
  const close = () => {
    clearTimeout(timer);
    onClose();
    socket.close();
  };
  const timer = setTimeout(close, idleMs).unref();
  // The next datagram tries again.
  const onSent = () => undefined;
  socket.on('error', onSent);
  socket.on('message', (answer, { address, port }) => {
    if (address !== target.address || port !== target.port) return;
    timer.refresh();
    server.send(answer, from.port, from.address, onSent);
  });
  return {
    send: (message) => {
      timer.refresh();
      socket.send(message, target.port, target.address, onSent);
    },
    close,
  };
}
