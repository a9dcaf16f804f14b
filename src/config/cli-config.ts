import { homedir } from 'node:os';
import { join } from 'node:path';

export const defaultSocket = '/run/gantry/gantry.sock';

/** What a command of the CLI takes from its surroundings. */
export interface CliConfig {
  /** The daemon's address, `unix:///…` or `tcp://…`. */
  readonly host: string;
  /** False when the address is only the default: then a missing daemon is started. */
  readonly hostGiven: boolean;
  /** Name of a Docker context; there is none here but `default`. */
  readonly context: string;
  /** The platform of what is made where `--platform` does not name one; '' is the host's. */
  readonly platform: string;
  /** The version of the API to speak; '' is the newest that both sides know. */
  readonly apiVersion: string;
  readonly tls: boolean;
  readonly tlsVerify: boolean;
  /** Directory of ca.pem, cert.pem and key.pem. */
  readonly certPath: string;
  /** Directory of Docker's client configuration, with the registries' credentials. */
  readonly dockerConfig: string;
  /** The caller's environment, for `-e NAME`, `--build-arg NAME` and env files. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What the flags before a command say. */
export interface GivenConfig {
  readonly host?: string;
  readonly context?: string;
  readonly dockerConfig?: string;
}

/** Reads the environment of a command, which counts where no flag is given. `GANTRY_HOST` goes before `DOCKER_HOST`. */
export function cliConfig(given: GivenConfig = {}, environment: NodeJS.ProcessEnv = process.env): CliConfig {
  const host = given.host ?? (environment['GANTRY_HOST'] || environment['DOCKER_HOST']);
  const dockerConfig = given.dockerConfig || environment['DOCKER_CONFIG'] || join(homedir(), '.docker');
  return Object.freeze({
    host: host || `unix://${defaultSocket}`,
    hostGiven: Boolean(host),
    context: given.context || (host ? '' : environment['DOCKER_CONTEXT']) || 'default',
    platform: environment['DOCKER_DEFAULT_PLATFORM'] ?? '',
    apiVersion: (environment['DOCKER_API_VERSION'] ?? '').replace(/^v/, ''),
    tls: Boolean(environment['DOCKER_TLS']),
    tlsVerify: Boolean(environment['DOCKER_TLS_VERIFY']),
    certPath: environment['DOCKER_CERT_PATH'] || dockerConfig,
    dockerConfig,
    environment,
  });
}
