import { homedir } from 'node:os';
import { join } from 'node:path';

export const defaultSocket = '/run/gantry/gantry.sock';

/** What a command of the CLI takes from its surroundings. */
export interface CliConfig {
  /** The daemon's address, `unix:///…` or `tcp://…`. */
  readonly host: string;
  /** False when the address is only the default: then a missing daemon is started. */
  readonly hostGiven: boolean;
  readonly tlsVerify: boolean;
  /** Directory of ca.pem, cert.pem and key.pem. */
  readonly certPath: string;
  /** Directory of Docker's client configuration, with the registries' credentials. */
  readonly dockerConfig: string;
  /** The caller's environment, for `-e NAME`, `--build-arg NAME` and env files. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Reads the environment of a command; `dockerConfig` is that of `--config`. `GANTRY_HOST` goes before `DOCKER_HOST`. */
export function cliConfig(
  given: { readonly dockerConfig?: string } = {},
  environment: NodeJS.ProcessEnv = process.env,
): CliConfig {
  const host = environment['GANTRY_HOST'] || environment['DOCKER_HOST'];
  const dockerConfig = given.dockerConfig || environment['DOCKER_CONFIG'] || join(homedir(), '.docker');
  return Object.freeze({
    host: host || `unix://${defaultSocket}`,
    hostGiven: Boolean(host),
    tlsVerify: Boolean(environment['DOCKER_TLS_VERIFY']),
    certPath: environment['DOCKER_CERT_PATH'] || dockerConfig,
    dockerConfig,
    environment,
  });
}
