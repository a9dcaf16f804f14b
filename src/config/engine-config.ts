import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { ProxyConfig } from '../lib/http-proxy.ts';
import { environmentProxies } from './environment-proxies.ts';

/** Docker's release and API that clients see. */
export const dockerVersion = '28.2.2';
export const apiVersion = { newest: '1.50', oldest: '1.24' } as const;
export const gantryVersion = '0.1.0';

export interface EngineOptions {
  /** Directory of everything durable; default /var/lib/gantry. */
  readonly root?: string;
  readonly debug?: boolean;
  /** Low-level runtime: runc or crun. */
  readonly runtime?: 'runc' | 'crun';
  /** Address of the default bridge with its prefix, `172.17.0.1/16`; default the first free of Docker's pools. */
  readonly bip?: string;
  /** At shutdown: leave containers running, or stop them. */
  readonly shutdown?: 'keep' | 'stop';
  /** What a stop does when the stop signal can have no effect: wait as Docker does, or kill at once. Default wait. */
  readonly stopDeaf?: 'wait' | 'kill';
  /**
   * The process has adopted orphans (`adoptOrphans`) and nothing else to do with them, so that the engine may reap any
   * child it finds ended. Default false; the daemon does.
   */
  readonly adoptsOrphans?: boolean;
  readonly registries?: Partial<RegistryConfig>;
  /** Default, each for itself: what the environment says. */
  readonly proxies?: Partial<ProxyConfig>;
  readonly logging?: Partial<LoggingConfig>;
}

/** How containers log that do not say it themselves. */
export interface LoggingConfig {
  readonly driver: string;
  /** Options of that driver, for containers that use it, each unless they give it. */
  readonly options: Readonly<Record<string, string>>;
}

/** How registries are spoken to. */
export interface RegistryConfig {
  /** Hosts (`registry:5000`) and networks (`10.0.0.0/8`) that need no TLS, or no certificate one knows. Loopback never does. */
  readonly insecureRegistries: readonly string[];
  /** URLs asked before Docker Hub. */
  readonly registryMirrors: readonly string[];
  /** Layers of all pulls downloaded at once. */
  readonly maxConcurrentDownloads: number;
  /** Layers of all pushes uploaded at once. */
  readonly maxConcurrentUploads: number;
  /** Directories with certificates by host (`HOST/ca.crt`, `HOST/client.cert`, `HOST/client.key`); the first counts. */
  readonly certificateDirectories: readonly string[];
}

/** Frozen settings of one engine. Every name it takes in the kernel derives from `root`. */
export interface EngineConfig {
  readonly root: string;
  /** Sockets, exit files, runtime state; gone after a reboot. */
  readonly run: string;
  /** 8 hex digits of the root's digest: the prefix of bridge, netns, nft table and cgroup names. */
  readonly instance: string;
  readonly debug: boolean;
  readonly runtime: 'runc' | 'crun';
  readonly bip?: string;
  readonly shutdown: 'keep' | 'stop';
  readonly stopDeaf: 'wait' | 'kill';
  /** Parent cgroup of containers, `/gantry-INSTANCE`. */
  readonly cgroupParent: string;
  readonly adoptsOrphans: boolean;
  readonly registries: RegistryConfig;
  /** The proxies of pulls, pushes and downloads; containers know nothing of them. */
  readonly proxies: ProxyConfig;
  readonly logging: LoggingConfig;
}

const defaultRegistries: RegistryConfig = {
  insecureRegistries: [],
  registryMirrors: [],
  maxConcurrentDownloads: 3,
  maxConcurrentUploads: 5,
  certificateDirectories: ['/etc/gantry/certs.d', '/etc/docker/certs.d'],
};

export const defaultRoot = '/var/lib/gantry';

export function engineConfig(options: EngineOptions = {}): EngineConfig {
  const root = resolve(options.root ?? defaultRoot);
  const instance = createHash('sha256').update(root).digest('hex').slice(0, 8);
  return Object.freeze({
    root,
    run: join('/run/gantry', instance),
    instance,
    debug: options.debug ?? false,
    runtime: options.runtime ?? 'runc',
    ...(options.bip === undefined ? {} : { bip: options.bip }),
    shutdown: options.shutdown ?? 'keep',
    stopDeaf: options.stopDeaf ?? 'wait',
    cgroupParent: `/gantry-${instance}`,
    adoptsOrphans: options.adoptsOrphans ?? false,
    registries: Object.freeze({ ...defaultRegistries, ...options.registries }),
    proxies: Object.freeze({ ...environmentProxies(), ...options.proxies }),
    logging: Object.freeze({ driver: 'json-file', options: {}, ...options.logging }),
  });
}
