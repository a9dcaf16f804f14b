import { EngineError } from '../../errors/index.ts';
import { defaultDomain, parseReference } from '../../oci/index.ts';
import type { Context } from '../command.ts';
import { CredentialHelper } from './credential-helper.ts';
import { type DockerConfig, readDockerConfig, writeDockerConfig } from './docker-config.ts';

/** The API's AuthConfig. */
export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
}

/** What Docker's configuration calls the Hub. */
export const hubServer = 'https://index.docker.io/v1/';

/** The server in the configuration that stands for an image's registry. */
export function serverOf(image: string): string {
  const { domain } = parseReference(image);
  return domain === defaultDomain ? hubServer : domain;
}

/** Where credentials of one user are kept: a helper of the server's own, one for all, or the file itself. */
export class CredentialStore {
  readonly #context: Context;
  readonly #directory: string;

  constructor(context: Context) {
    this.#context = context;
    this.#directory = context.config.dockerConfig;
  }

  /** A helper that fails is told of, and knows nobody: much can be had without credentials. */
  async get(server: string): Promise<AuthConfig | undefined> {
    return this.#orTell(() => this.#find(server));
  }

  async #orTell<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#context.stderr.write(`WARNING: ${error.message}\n`);
      return undefined;
    }
  }

  async #find(server: string): Promise<AuthConfig | undefined> {
    const config = await this.#context.settings();
    const helper = helperFor(config, server);
    if (helper !== undefined) {
      const found = await helper.get(server);
      if (found === undefined) return undefined;
      return found.Username === '<token>'
        ? { identitytoken: found.Secret, serveraddress: server }
        : { username: found.Username, password: found.Secret, serveraddress: server };
    }
    const stored = Object.entries(config.auths ?? {}).find(([name]) => hostOf(name) === hostOf(server))?.[1];
    if (stored === undefined) return undefined;
    const [username = '', ...rest] = Buffer.from(stored.auth ?? '', 'base64')
      .toString('utf8')
      .split(':');
    return {
      serveraddress: server,
      ...(username === '' ? {} : { username, password: rest.join(':') }),
      ...(stored.identitytoken === undefined ? {} : { identitytoken: stored.identitytoken }),
    };
  }

  /** All there are, by server; for a build, which may start from several registries' images. */
  async all(): Promise<Readonly<Record<string, AuthConfig>>> {
    const { credsStore, auths, credHelpers } = await this.#context.settings();
    const listed = credsStore ? await this.#orTell(() => new CredentialHelper(credsStore).list()) : {};
    const servers = new Set(Object.keys(credHelpers ?? {}));
    // A store that cannot list would only tell the same of each server.
    if (listed !== undefined) for (const name of Object.keys({ ...auths, ...listed })) servers.add(name);
    const found: Record<string, AuthConfig> = {};
    for (const server of servers) {
      const auth = await this.get(server);
      if (auth !== undefined) found[server] = auth;
    }
    return found;
  }

  /** Returns the file that holds them in the clear, if no helper does. */
  async store(auth: AuthConfig): Promise<string | undefined> {
    const { serveraddress: server, username = '', password = '', identitytoken } = auth;
    const config = await readDockerConfig(this.#directory);
    const helper = helperFor(config, server);
    if (helper !== undefined) {
      await helper.store(
        server,
        identitytoken === undefined
          ? { Username: username, Secret: password }
          : { Username: '<token>', Secret: identitytoken },
      );
    }
    // With a helper the empty entry says only that there is something.
    const secret = identitytoken === undefined ? password : '';
    const entry =
      helper === undefined
        ? {
            auth: Buffer.from(`${username}:${secret}`).toString('base64'),
            ...(identitytoken === undefined ? {} : { identitytoken }),
          }
        : {};
    await writeDockerConfig(this.#directory, { ...config, auths: { ...config.auths, [server]: entry } });
    return helper === undefined ? `${this.#directory}/config.json` : undefined;
  }

  /** Whether there was something to forget. */
  async erase(server: string): Promise<boolean> {
    const config = await readDockerConfig(this.#directory);
    const names = Object.keys(config.auths ?? {}).filter((name) => hostOf(name) === hostOf(server));
    const helper = helperFor(config, server);
    const known = names.length > 0 || (helper !== undefined && (await helper.get(server)) !== undefined);
    await helper?.erase(server);
    if (names.length > 0) {
      const auths = Object.entries(config.auths ?? {}).filter(([name]) => !names.includes(name));
      await writeDockerConfig(this.#directory, { ...config, auths: Object.fromEntries(auths) });
    }
    return known;
  }
}

/** An API header; `undefined` when there is nothing to say. */
export function encodeAuth(auth: AuthConfig | undefined): { readonly registryAuth?: string } {
  return auth === undefined ? {} : { registryAuth: encoded(auth) };
}

export function encodeAll(auths: Readonly<Record<string, AuthConfig>>): string {
  return encoded(auths);
}

/** base64url with padding, as Go writes it. */
function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

function helperFor({ credHelpers, credsStore }: DockerConfig, server: string): CredentialHelper | undefined {
  const name = credHelpers?.[server] ?? credHelpers?.[hostOf(server)] ?? credsStore;
  return name === undefined || name === '' ? undefined : new CredentialHelper(name);
}

/** People write servers with a scheme, without one, and with a path. */
function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').split('/', 1)[0] ?? server;
}
