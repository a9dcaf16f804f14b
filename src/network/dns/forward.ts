import { isIP, isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { inNetworkNamespace } from '../../lib/network-namespace.ts';
import { nameserversOf } from '../files.ts';
import { readPlainResolvConf } from '../host-resolv-conf.ts';

// As ES imports they would load far more.
const { createSocket } = process.getBuiltinModule('node:dgram');
const { connect } = process.getBuiltinModule('node:net');

const dnsPort = 53;
/** A server that has not answered by then gets company. */
const staggerMs = 700;
const deadlineMs = 4_500;
const busyLimit = 256;

interface Question {
  readonly query: Buffer;
  readonly transport: 'udp' | 'tcp';
  /** That of the network to ask from; `undefined` is the host's. */
  readonly namespacePath: string | undefined;
}

/**
 * Asks other resolvers on behalf of one container: servers of its own from its own network, as it would by itself, the
 * host's from the host's. The next server is asked when one fails or takes its time, so that a dead one costs nobody a
 * name; the one that answered last comes first.
 */
export class Forwarder {
  readonly #namespacePath: string;
  #preferred: string | undefined;
  #busy = 0;

  constructor(namespacePath: string) {
    this.#namespacePath = namespacePath;
  }

  /** The container's own `servers`, or the host's where it has none. `undefined` when nobody answers in time. */
  async ask(
    query: Buffer,
    transport: 'udp' | 'tcp',
    servers: readonly string[],
  ): Promise<Buffer | undefined> {
    if (this.#busy >= busyLimit) return undefined;
    this.#busy += 1;
    try {
      if (servers.length === 0) {
        return await this.#askAll({ query, transport, namespacePath: undefined }, await hostServers());
      }
      return await this.#askAll({ query, transport, namespacePath: this.#namespacePath }, servers);
    } finally {
      this.#busy -= 1;
    }
  }

  async #askAll(question: Question, servers: readonly string[]): Promise<Buffer | undefined> {
    using stop = aborting(deadlineMs);
    const ask = question.transport === 'udp' ? askByUdp : askByTcp;
    const order = [...servers].sort((a, b) => Number(b === this.#preferred) - Number(a === this.#preferred));
    const asked: Promise<Buffer | undefined>[] = [];
    let refusal: Buffer | undefined;
    const first = Promise.withResolvers<Buffer | undefined>();
    for (const server of order) {
      const one = ask(question, server, stop.signal).then(
        (reply) => {
          if (!isFailure(reply)) {
            this.#preferred = server;
            first.resolve(reply);
          } else refusal ??= reply;
          return reply;
        },
        () => undefined,
      );
      asked.push(one);
      const found = await Promise.race([first.promise, one, delay(staggerMs, undefined, { ref: false })]);
      if (found !== undefined && !isFailure(found)) return found;
    }
    return await Promise.race([first.promise, Promise.all(asked).then(() => refusal)]);
  }
}

/** SERVFAIL, REFUSED and the like: another server may know better. NXDOMAIN is an answer. */
function isFailure(reply: Buffer): boolean {
  const code = (reply[3] ?? 0) & 0xf;
  return code !== 0 && code !== 3;
}

async function hostServers(): Promise<string[]> {
  return nameserversOf(await readPlainResolvConf());
}

/** Makes a socket where it is to stay: in the network namespace it is made in. */
function within<T>(namespacePath: string | undefined, make: () => T): T {
  return namespacePath === undefined ? make() : inNetworkNamespace(namespacePath, make);
}

/** Instead of the usual lookup, after which a socket is made only when this thread is back in its own namespace. */
function atOnce(
  address: string,
  _options: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, address, isIP(address));
}

async function askByUdp(
  { query, namespacePath }: Question,
  server: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const socket = createSocket({ type: isIPv6(server) ? 'udp6' : 'udp4', lookup: atOnce });
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const onAbort = () => {
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort);
  socket.on('error', reject);
  socket.on('message', (reply) => {
    if (reply.length >= 12 && reply.readUInt16BE(0) === query.readUInt16BE(0)) resolve(reply);
  });
  // Without a route, say, it gets the error; a socket that is not connected throws at `send`.
  const onConnect = (error?: Error) => {
    if (error instanceof Error) reject(error);
    else if (!signal.aborted) socket.send(query);
  };
  try {
    within(namespacePath, () => {
      socket.connect(dnsPort, server, onConnect);
    });
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.close();
  }
}

async function askByTcp(
  { query, namespacePath }: Question,
  server: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const socket = within(namespacePath, () =>
    connect({
      // Not the address itself, which is never looked up.
      host: 'server',
      lookup: (_host, options, done) => {
        atOnce(server, options, done);
      },
      family: isIP(server),
      port: dnsPort,
      signal,
    }),
  );
  socket.write(withLength(query));
  let received = Buffer.alloc(0);
  try {
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) break;
    }
  } finally {
    socket.destroy();
  }
  if (received.length < 14) throw new Error(`${server} closed the connection`);
  return received.subarray(2, 2 + received.readUInt16BE(0));
}

/** A message as it goes over TCP. */
export function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function aborting(afterMs: number): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new Error('nobody answered in time'));
  }, afterMs);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      // Those still asking have lost.
      controller.abort(new Error('another server answered'));
    },
  };
}
