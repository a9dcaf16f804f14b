import { join } from 'node:path';
import type { Client } from '../client/index.ts';
import { type CliConfig, cliConfig, type GivenConfig } from '../config/index.ts';
import { EngineError } from '../errors/index.ts';
import type { Context } from './command.ts';
import { type DockerConfig, readDockerConfig } from './remote/docker-config.ts';

/** Flags before the command: `gantry -H unix:///x ps`. */
export interface GlobalOptions extends GivenConfig {
  readonly tls: boolean;
  readonly tlsVerify: boolean;
  readonly tlsCaCert?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** The surroundings of one command. Its client is made, and a missing default daemon started, on first use. */
export function createContext(options: GlobalOptions): Context {
  const config = cliConfig(options);
  let connected: Promise<Client> | undefined;
  let read: Promise<DockerConfig> | undefined;
  const settings = () => (read ??= readSettings(config));
  return {
    config,
    client: () => (connected ??= connect(config, options, settings)),
    settings,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    async [Symbol.asyncDispose]() {
      // Whoever wanted a client that could not be had has told of it.
      const client = await connected?.catch(() => undefined);
      client?.[Symbol.dispose]();
    },
  };
}

/** A file that cannot be read stops no command that needs none of it. */
async function readSettings(config: CliConfig): Promise<DockerConfig> {
  try {
    return await readDockerConfig(config.dockerConfig);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    process.stderr.write(`WARNING: ${error.message}\n`);
    return {};
  }
}

async function connect(
  config: CliConfig,
  options: GlobalOptions,
  settings: () => Promise<DockerConfig>,
): Promise<Client> {
  if (config.context !== 'default') {
    throw new EngineError('notFound', `context ${JSON.stringify(config.context)}: context not found`);
  }
  const { createClient, isUnreachable } = await import('../client/index.ts');
  const tls = await tlsOf(config, options);
  const { HttpHeaders: headers } = await settings();
  const client = createClient({
    host: config.host,
    ...(headers === undefined ? {} : { headers }),
    ...(tls === undefined ? {} : { tls }),
    ...(config.apiVersion === '' ? {} : { apiVersion: config.apiVersion }),
  });
  if (config.hostGiven) return client;
  try {
    await client.apiVersion();
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    const { startDaemon } = await import('./start-daemon.ts');
    await startDaemon(client, error);
  }
  return client;
}

async function tlsOf(config: CliConfig, options: GlobalOptions) {
  const verify = options.tlsVerify || config.tlsVerify;
  if (!(verify || options.tls || config.tls) || !config.host.startsWith('tcp://')) return undefined;
  const { readFile } = await import('node:fs/promises');
  const { hasErrno } = await import('../errors/index.ts');
  const optional = async (given: string | undefined, name: string) => {
    try {
      return await readFile(given ?? join(config.certPath, name));
    } catch (error) {
      if (given === undefined && hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  };
  const [ca, cert, key] = await Promise.all([
    optional(options.tlsCaCert, 'ca.pem'),
    optional(options.tlsCert, 'cert.pem'),
    optional(options.tlsKey, 'key.pem'),
  ]);
  return {
    verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
