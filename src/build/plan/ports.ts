import { EngineError } from '../../errors/index.ts';

const protocols = new Set(['tcp', 'udp', 'sctp']);

/** The `port/protocol` keys an EXPOSE word means: `80`, `8000-8010/udp`, `[[ip:]host:]port`. */
export function exposedPorts(word: string): string[] {
  const slash = word.indexOf('/');
  const protocol = (slash === -1 ? 'tcp' : word.slice(slash + 1)).toLowerCase();
  const ports = (slash === -1 ? word : word.slice(0, slash)).split(':').at(-1) ?? '';
  if (!protocols.has(protocol)) throw new EngineError('invalidArgument', `invalid proto: ${protocol}`);
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(ports) ?? [];
  const [start, end] = [Number(first), Number(last ?? first)];
  if (first === undefined || start > end || end > 65535) {
    throw new EngineError('invalidArgument', `invalid containerPort: ${ports}`);
  }
  return Array.from({ length: end - start + 1 }, (_, offset) => `${start + offset}/${protocol}`);
}
