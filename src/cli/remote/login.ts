import { statusOf } from '../../client/index.ts';
import { EngineError, isCode } from '../../errors/index.ts';
import { type Context, defineCommand } from '../command.ts';
import { bool, text } from '../flags.ts';
import { errorText } from '../tell-error.ts';
import { ask, readSecret } from './ask.ts';
import { type AuthConfig, CredentialStore, hubServer } from './credentials.ts';

const hub = 'Docker Hub';

export const loginCommand = defineCommand({
  usage: '[OPTIONS] [SERVER]',
  summary: 'Authenticate to a registry',
  minArgs: 0,
  maxArgs: 1,
  flags: {
    password: text('Password or Personal Access Token (PAT)', { short: 'p' }),
    'password-stdin': bool('Take the Password or Personal Access Token (PAT) from stdin'),
    username: text('Username', { short: 'u' }),
  },
  async run({ context, values, given, args }) {
    checkFlags(values, given);
    const server = serverOf(args[0]);
    const store = new CredentialStore(context);
    const login = async (auth: AuthConfig) => {
      const status = await loginWith(context, store, auth);
      context.stdout.write(`${status}\n`);
    };
    const asksForBoth = !given.has('username') && !given.has('password');
    const stored = asksForBoth ? await store.get(server) : undefined;
    if (stored?.username && stored.password) {
      const who = `[Username: ${stored.username}]`;
      context.stderr.write(`Authenticating with existing credentials... ${who}\n\n`);
      try {
        await login(stored);
        return;
      } catch (error) {
        if (statusOf(error) === undefined) throw error;
        const refused = isCode(error, 'unauthorized');
        const why = refused
          ? 'Stored credentials invalid or expired'
          : `Login did not succeed, error: ${errorText(error)}`;
        context.stderr.write(`${why}\n`);
      }
    }
    await login(await credentialsOf(context, { ...values, server }));
  },
});

/** Throws Docker's texts for flags that contradict each other or say nothing. */
function checkFlags(
  values: { readonly username: string; readonly password: string },
  given: ReadonlySet<string>,
): void {
  const refuse = (reason: string) => new EngineError('invalidArgument', reason);
  if (given.has('password-stdin')) {
    if (given.has('password')) {
      throw refuse('conflicting options: cannot specify both --password and --password-stdin');
    }
    if (!given.has('username')) {
      throw refuse('the --password-stdin option requires --username to be set');
    }
  }
  for (const name of ['username', 'password'] as const) {
    if (given.has(name) && values[name] === '') throw refuse(`${name} is empty`);
  }
}

/** What the daemon says of it; the store keeps the credentials that it accepts. */
async function loginWith(context: Context, store: CredentialStore, auth: AuthConfig): Promise<string> {
  const client = await context.client();
  const { Status, IdentityToken } = await client.system.login(auth);
  const { username = '', serveraddress } = auth;
  const file = await store.store(
    IdentityToken === '' ? auth : { username, identitytoken: IdentityToken, serveraddress },
  );
  if (file !== undefined) {
    context.stderr.write(
      `\nWARNING! Your credentials are stored unencrypted in '${file}'.\n` +
        'Configure a credential helper to remove this warning.\n\n',
    );
  }
  return Status;
}

export const logoutCommand = defineCommand({
  usage: '[SERVER]',
  summary: 'Log out from a registry',
  minArgs: 0,
  maxArgs: 1,
  flags: {},
  async run({ context, args }) {
    const server = serverOf(args[0]);
    const name = server === hubServer ? hub : server;
    const erased = await new CredentialStore(context).erase(server);
    context.stdout.write(
      erased ? `Removing login credentials for ${server}\n` : `Not logged in to ${name}\n`,
    );
  },
});

/** What is not given as a flag is asked for, as far as there is somebody to ask. */
async function credentialsOf(
  context: Context,
  given: {
    readonly server: string;
    readonly username: string;
    readonly password: string;
    readonly 'password-stdin': boolean;
  },
): Promise<AuthConfig> {
  const { server, username: user, password: secret } = given;
  const fromStdin = given['password-stdin'];
  if (secret !== '') {
    context.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
  }
  const username = user || (await ask(context, 'Username: ', { secret: false }));
  const password = fromStdin
    ? await readSecret(context)
    : secret || (await ask(context, 'Password: ', { secret: true }));
  if (username === '' || password === '') {
    throw new EngineError('invalidArgument', 'username and password must not be empty');
  }
  return { username, password, serveraddress: server };
}

/** A registry is written as a host; for the Hub there is an older name. */
function serverOf(argument = ''): string {
  const host = argument.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  return ['', 'docker.io', 'index.docker.io', 'index.docker.io/v1'].includes(host) ? hubServer : host;
}
