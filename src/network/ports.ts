import { isIP } from 'node:net';
import type { PortMap } from '../api/index.ts';
import { EngineError } from '../errors/index.ts';

const protocols = ['tcp', 'udp', 'sctp'] as const;
export type PortProtocol = (typeof protocols)[number];

/** `80/tcp`: one container port. */
export interface Port {
  readonly port: number;
  readonly protocol: PortProtocol;
}

/** Ports from `first` to `last`, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** One publication asked for: a container port, the host's address and the host ports to choose from. */
export interface PortRequest extends Port {
  /** '' for every address of both families. */
  readonly hostIp: string;
  /** Undefined: any free one. */
  readonly hostPorts?: PortRange;
}

export function isIpv6(address: string): boolean {
  return address.includes(':');
}

/** `80`, `80/tcp`, `53/udp`. Throws `invalidArgument` with Docker's text. */
export function parsePort(text: string): Port {
  const { range, protocol } = parsePortRange(text);
  if (range.first !== range.last) throw new EngineError('invalidArgument', `invalid port: ${text}`);
  return { port: range.first, protocol };
}

/** `80`, `8000-8010/tcp`. Throws `invalidArgument` with Docker's text. */
export function parsePortRange(text: string): { readonly range: PortRange; readonly protocol: PortProtocol } {
  const [ports = '', protocol = 'tcp', ...rest] = text.split('/');
  const known = protocols.find((name) => name === protocol.toLowerCase());
  if (rest.length > 0 || known === undefined) {
    throw new EngineError('invalidArgument', `invalid proto: ${protocol}`);
  }
  return { range: parseNumbers(ports, `invalid containerPort: ${ports}`), protocol: known };
}

/**
 * What a container's port bindings ask for, in Docker's order: what must have one host port before what has a choice,
 * which could take it.
 * A key without bindings is exposed only. Throws `invalidArgument` for a bad port or address.
 */
export function portRequests(bindings: PortMap): PortRequest[] {
  const requests = Object.entries(bindings).flatMap(([key, list]): PortRequest[] => {
    const port = parsePort(key);
    return (list ?? []).map(({ HostIp, HostPort }) => {
      const hostIp = HostIp ?? '';
      if (hostIp !== '' && isIP(hostIp) === 0) {
        throw new EngineError('invalidArgument', `invalid IP address: ${hostIp}`);
      }
      const wanted = HostPort ?? '';
      if (wanted === '' || wanted === '0') return { ...port, hostIp };
      return { ...port, hostIp, hostPorts: parseNumbers(wanted, `invalid hostPort: ${wanted}`) };
    });
  });
  return requests.sort(
    (a, b) =>
      Number(hasChoice(a)) - Number(hasChoice(b)) ||
      a.port - b.port ||
      protocols.indexOf(a.protocol) - protocols.indexOf(b.protocol) ||
      (a.hostPorts?.first ?? 0) - (b.hostPorts?.first ?? 0),
  );
}

function hasChoice({ hostPorts }: PortRequest): boolean {
  return hostPorts === undefined || hostPorts.first !== hostPorts.last;
}

function parseNumbers(text: string, message: string): PortRange {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first > 65535 || last > 65535 || first > last || first === 0) {
    throw new EngineError('invalidArgument', message);
  }
  return { first, last };
}
