import { EngineError } from '../errors/index.ts';

/** Where a daemon listens. */
export type HostAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly hostname: string; readonly port: number; readonly basePath: string };

/** Reads `unix:///path` or `tcp://host:port` as Docker's DOCKER_HOST. Throws `invalidArgument`. */
export function parseHost(host: string): HostAddress {
  const match = /^([a-z]+):\/\/(.*)$/.exec(host);
  if (match === null) {
    throw new EngineError('invalidArgument', `unable to parse docker host \`${host}\``);
  }
  const [, scheme, rest] = match as unknown as [string, string, string];
  if (scheme === 'unix') {
    if (rest === '') throw new EngineError('invalidArgument', `unable to parse docker host \`${host}\``);
    return { kind: 'unix', path: rest };
  }
  if (scheme !== 'tcp') {
    throw new EngineError('invalidArgument', `unsupported protocol scheme "${scheme}" in host ${host}`);
  }
  let url: URL;
  try {
    url = new URL(`http://${rest}`);
  } catch (error) {
    throw new EngineError('invalidArgument', `unable to parse docker host \`${host}\``, { cause: error });
  }
  return {
    kind: 'tcp',
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 2375 : Number(url.port),
    basePath: url.pathname.replace(/\/$/, ''),
  };
}
