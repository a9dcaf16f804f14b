import { EngineError, isCode, messageOf } from '../../errors/index.ts';
import { run } from '../../lib/run.ts';

export interface HelperCredentials {
  /** `<token>` says that the secret is an identity token. */
  readonly Username: string;
  readonly Secret: string;
}

/** A program that keeps credentials for Docker's clients, `docker-credential-NAME`. */
export class CredentialHelper {
  readonly #program: string;

  constructor(name: string) {
    if (!/^[A-Za-z0-9._-]+$/.test(name)) {
      throw new EngineError('invalidArgument', `invalid credential helper ${JSON.stringify(name)}`);
    }
    this.#program = `docker-credential-${name}`;
  }

  /** `undefined` when it knows none. */
  async get(server: string): Promise<HelperCredentials | undefined> {
    const { exitCode, stdout } = await this.#run('get', server, [0, 1]);
    if (exitCode === 0) return this.#parsed(stdout) as HelperCredentials;
    if (/credentials not found/i.test(stdout)) return undefined;
    throw new EngineError(
      'internal',
      `error getting credentials - err: exit status 1, out: \`${stdout.trim()}\``,
    );
  }

  async store(server: string, { Username, Secret }: HelperCredentials): Promise<void> {
    await this.#run('store', JSON.stringify({ ServerURL: server, Username, Secret }), [0]);
  }

  async erase(server: string): Promise<void> {
    const { exitCode, stdout } = await this.#run('erase', server, [0, 1]);
    if (exitCode !== 0 && !/credentials not found/i.test(stdout)) {
      throw new EngineError(
        'internal',
        `error erasing credentials - err: exit status 1, out: \`${stdout.trim()}\``,
      );
    }
  }

  /** User names by server. */
  async list(): Promise<Readonly<Record<string, string>>> {
    return this.#parsed((await this.#run('list', '', [0])).stdout) as Record<string, string>;
  }

  #parsed(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new EngineError('internal', `error getting credentials - ${this.#program} wrote no JSON`, {
        cause: error,
      });
    }
  }

  async #run(action: string, input: string, accept: readonly number[]) {
    try {
      return await run(this.#program, [action], { input, accept });
    } catch (error) {
      if (!isCode(error, 'unavailable')) throw error;
      const text = `error getting credentials - err: exec: "${this.#program}": executable file not found in $PATH`;
      throw new EngineError('unavailable', `${text}: ${messageOf(error)}`, { cause: error });
    }
  }
}
