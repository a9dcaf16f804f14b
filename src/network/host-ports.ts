import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { PortBinding, PortMap } from '../api/index.ts';
import { EngineError, errnoOf, hasErrno } from '../errors/index.ts';
import { isIpv6, type PortRange, type PortRequest } from './ports.ts';
import type { PortRule } from './rules.ts';
import { relayDatagrams } from './udp-relay.ts';

export interface PublishRequest {
  readonly containerId: string;
  /** The container's address. */
  readonly address: string;
  readonly requests: readonly PortRequest[];
}

export interface Published {
  readonly rules: readonly PortRule[];
  readonly bindings: PortMap;
}

interface Holding {
  readonly containerId: string;
  readonly rule: PortRule;
  /** Absent where the port could not be bound again after a restart: the rule serves it all the same. */
  readonly socket?: Disposable;
}

/**
 * The host ports of one engine. Each is held by a bound socket, so that a port any process uses is found taken,
 * and no process takes it later. The sockets see little: the firewall sends IPv4 on before. Over IPv6 they
 * relay to the container.
 */
export class HostPorts implements Disposable {
  #holdings: Holding[] = [];
  #next = 0;

  /** Chooses and binds; on failure nothing stays bound. Throws `internal` with Docker's text for a taken port. */
  async publish({ containerId, address, requests }: PublishRequest): Promise<Published> {
    const rules: PortRule[] = [];
    const bindings: Record<string, PortBinding[]> = {};
    try {
      for (const request of requests) {
        const held = await this.#publishOne(containerId, address, request);
        rules.push(...held);
        (bindings[`${request.port}/${request.protocol}`] ??= []).push(
          ...held.map((rule) => ({ HostIp: rule.hostIp, HostPort: String(rule.hostPort) })),
        );
      }
    } catch (error) {
      this.release(containerId, (rule) => rules.includes(rule));
      throw error;
    }
    return { rules, bindings };
  }

  /** Rejects as `publish` would for a port that is taken by anything but this container, and holds nothing. */
  async probe({ containerId, address, requests }: PublishRequest): Promise<void> {
    const own = this.#holdings.filter((holding) => holding.containerId === containerId);
    const isOwn = ({ protocol, hostPorts }: PortRequest) =>
      own.some(({ rule }) => rule.protocol === protocol && isIn(rule.hostPort, hostPorts));
    const others = requests.filter((request) => request.hostPorts !== undefined && !isOwn(request));
    const prober = `${containerId} probe`;
    await this.publish({ containerId: prober, address, requests: others });
    this.release(prober);
  }

  /** Holds the ports of a container that runs since before this daemon. */
  async adopt(containerId: string, address: string, bindings: PortMap): Promise<PortRule[]> {
    const rules = rulesOf(address, bindings);
    for (const rule of rules) {
      try {
        this.#holdings.push({ containerId, rule, socket: await bind(rule) });
      } catch (error) {
        if (!hasErrno(error, 'EADDRINUSE') && !hasErrno(error, 'EADDRNOTAVAIL')) throw error;
        this.#holdings.push({ containerId, rule });
      }
    }
    return rules;
  }

  /** Lets go of a container's ports, or some of them; returns the rules they had. */
  release(containerId: string, isWanted: (rule: PortRule) => boolean = () => true): PortRule[] {
    const released = this.#holdings.filter(
      (holding) => holding.containerId === containerId && isWanted(holding.rule),
    );
    this.#holdings = this.#holdings.filter((holding) => !released.includes(holding));
    for (const { socket } of released) socket?.[Symbol.dispose]();
    return released.map(({ rule }) => rule);
  }

  rules(): PortRule[] {
    return this.#holdings.map(({ rule }) => rule);
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.#holdings) socket?.[Symbol.dispose]();
    this.#holdings = [];
  }

  async #publishOne(containerId: string, address: string, request: PortRequest): Promise<PortRule[]> {
    if (request.protocol === 'sctp') {
      throw new EngineError('notImplemented', `publishing ${request.port}/sctp is not supported`);
    }
    const asked = request.hostPorts;
    const candidates = asked ?? ephemeralRange();
    const count = candidates.last - candidates.first + 1;
    let failure: unknown;
    for (let step = 0; step < count; step += 1) {
      const hostPort = asked === undefined ? this.#ephemeral(candidates) : candidates.first + step;
      try {
        return await this.#hold(containerId, address, { ...request, hostPort });
      } catch (error) {
        failure = error;
        if (!(error instanceof EngineError) || lacksAddress(error.cause)) throw error;
      }
    }
    throw failure;
  }

  /** Both families for an address of '', where the host has IPv6. */
  async #hold(
    containerId: string,
    address: string,
    request: PortRequest & { readonly hostPort: number },
  ): Promise<PortRule[]> {
    const { protocol, port, hostIp, hostPort } = request;
    const both = hostIp === '' && existsSync('/proc/net/if_inet6');
    const hostIps = hostIp === '' ? ['0.0.0.0', ...(both ? ['::'] : [])] : [hostIp];
    const taken: Holding[] = [];
    try {
      for (const ip of hostIps) {
        const rule: PortRule = { protocol, hostIp: ip, hostPort, address, port };
        if (this.#holdings.some((holding) => clashes(holding.rule, rule))) {
          throw new EngineError(
            'internal',
            `Bind for ${bracketed(ip)}:${hostPort} failed: port is already allocated`,
          );
        }
        // In the list before the wait, so that no one else chooses the same port meanwhile.
        const placeholder: Holding = { containerId, rule };
        this.#holdings.push(placeholder);
        taken.push(placeholder);
        const socket = await bindOrExplain(rule, both && ip === '::');
        this.#holdings = this.#holdings.filter((holding) => holding !== placeholder);
        taken.pop();
        if (socket === undefined) continue;
        const holding = { containerId, rule, socket };
        this.#holdings.push(holding);
        taken.push(holding);
      }
    } catch (error) {
      this.#holdings = this.#holdings.filter((holding) => !taken.includes(holding));
      for (const { socket } of taken) socket?.[Symbol.dispose]();
      throw error;
    }
    return taken.map(({ rule }) => rule);
  }

  /** One after the other, so that a port rests before it is given again. */
  #ephemeral({ first, last }: PortRange): number {
    const port = this.#next < first || this.#next > last ? first : this.#next;
    this.#next = port + 1;
    return port;
  }
}

/** The rules a stored container's bindings stand for. */
export function rulesOf(address: string, bindings: PortMap): PortRule[] {
  return Object.entries(bindings).flatMap(([key, list]) => {
    const [port = '', protocol = 'tcp'] = key.split('/');
    return (list ?? []).map(({ HostIp, HostPort }) => ({
      protocol,
      hostIp: HostIp,
      hostPort: Number(HostPort),
      address,
      port: Number(port),
    }));
  });
}

function isIn(port: number, range: PortRange | undefined): boolean {
  return range !== undefined && range.first <= port && port <= range.last;
}

function clashes(a: PortRule, b: PortRule): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort || isIpv6(a.hostIp) !== isIpv6(b.hostIp))
    return false;
  const any = isIpv6(a.hostIp) ? '::' : '0.0.0.0';
  return a.hostIp === b.hostIp || a.hostIp === any || b.hostIp === any;
}

const bindFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EAFNOSUPPORT: 'address family not supported by protocol',
};

/** Whether no port of the address can be bound: the host does not have it. */
function lacksAddress(error: unknown): boolean {
  return hasErrno(error, 'EADDRNOTAVAIL') || hasErrno(error, 'EAFNOSUPPORT');
}

/** Undefined where the family is optional and the host lacks it. */
async function bindOrExplain(rule: PortRule, optional: boolean): Promise<Disposable | undefined> {
  try {
    return await bind(rule);
  } catch (error) {
    if (optional && lacksAddress(error)) return undefined;
    const reason = bindFailures[errnoOf(error) ?? ''];
    if (reason === undefined) throw error;
    const host = `${bracketed(rule.hostIp)}:${rule.hostPort}`;
    throw new EngineError(
      'internal',
      `failed to bind host port for ${host}:${rule.address}:${rule.port}/${rule.protocol}: ${reason}`,
      { cause: error },
    );
  }
}

async function bind(rule: PortRule): Promise<Disposable> {
  return rule.protocol === 'udp' ? bindUdp(rule) : bindTcp(rule);
}

async function bindTcp({ hostIp, hostPort, address, port }: PortRule): Promise<Disposable> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host: address, port, allowHalfOpen: true });
    for (const socket of [client, target]) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    }
    relay(client, target);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: hostIp, port: hostPort, ipv6Only: true, exclusive: true }, resolve);
  await promise;
  server.unref();
  return {
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function relay(client: Socket, target: Socket): void {
  const end = (error: unknown) => {
    // One side broke off: the other must hear of it.
    if (error !== null && error !== undefined) {
      client.destroy();
      target.destroy();
    }
  };
  pipeline(client, target, end);
  pipeline(target, client, end);
}

async function bindUdp({ hostIp, hostPort, address, port }: PortRule): Promise<Disposable> {
  const socket = isIpv6(hostIp) ? createSocket({ type: 'udp6', ipv6Only: true }) : createSocket('udp4');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('error', reject);
  socket.bind({ address: hostIp, port: hostPort, exclusive: true }, resolve);
  await promise;
  socket.unref();
  const relaying = isIpv6(hostIp) ? relayDatagrams(socket, { address, port }) : undefined;
  return {
    [Symbol.dispose]: () => {
      relaying?.[Symbol.dispose]();
      socket.close();
    },
  };
}

function bracketed(address: string): string {
  return isIpv6(address) ? `[${address}]` : address;
}

function ephemeralRange(): PortRange {
  const [first = 32768, last = 60999] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
    .trim()
    .split(/\s+/)
    .map(Number);
  return { first, last };
}
