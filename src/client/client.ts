import { apiVersion } from '../config/index.ts';
import { containerCalls, execCalls } from './containers.ts';
import { imageCalls } from './images.ts';
import { networkCalls } from './networks.ts';
import { storeCalls } from './store.ts';
import { systemCalls } from './system.ts';
import { createTransport, type TlsFiles } from './transport.ts';
import { volumeCalls } from './volumes.ts';

export interface ClientOptions {
  /** `unix:///run/gantry/gantry.sock` or `tcp://host:port`. */
  readonly host: string;
  readonly tls?: TlsFiles;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A fixed API version; without it the newest that both sides know. */
  readonly apiVersion?: string;
}

export type Client = ReturnType<typeof createClient>;

/**
 * A typed client of the Engine API. Calls reject with an EngineError: the code follows from the daemon's status, the
 * message is the daemon's. Disposing it closes idle connections.
 */
export function createClient(options: ClientOptions) {
  const transport = createTransport({ ...options, newestApiVersion: apiVersion.newest });
  return {
    host: transport.host,
    apiVersion: transport.version,
    containers: containerCalls(transport),
    exec: execCalls(transport),
    images: imageCalls(transport),
    networks: networkCalls(transport),
    volumes: volumeCalls(transport),
    system: systemCalls(transport),
    store: storeCalls(transport),
    /** Any call the typed methods do not cover: `inspect` of an unknown kind, a newer endpoint. */
    request: transport.call,
    [Symbol.dispose]() {
      transport[Symbol.dispose]();
    },
  };
}
