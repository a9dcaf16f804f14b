import type { Client } from '../../client/index.ts';
import { EngineError } from '../../errors/index.ts';
import { type Context, defineCommand } from '../command.ts';
import { bool, list, text, type ValuesOf } from '../flags.ts';
import { resolveEnv } from '../run/env-file.ts';
import { envFlag } from '../run/env-flag.ts';
import { detachKeysOf } from '../terminal/detach-keys.ts';
import { followSize, terminalSize } from '../terminal/resize.ts';
import { joinStdio } from '../terminal/stdio.ts';

const execFlags = {
  detach: bool('Detached mode: run command in the background', { short: 'd' }),
  'detach-keys': text('Override the key sequence for detaching a container'),
  env: envFlag,
  'env-file': list('Read in a file of environment variables'),
  interactive: bool('Keep STDIN open even if not attached', { short: 'i' }),
  privileged: bool('Give extended privileges to the command'),
  tty: bool('Allocate a pseudo-TTY', { short: 't' }),
  user: text('Username or UID (format: "<name|uid>[:<group|gid>]")', { short: 'u' }),
  workdir: text('Working directory inside the container', { short: 'w' }),
};

export const execCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  summary: 'Execute a command in a running container',
  aliases: ['container exec', 'exec'],
  minArgs: 2,
  interspersed: false,
  flags: execFlags,
  async run({ context, values, args }) {
    const [name = '', ...command] = args;
    if (values.tty && values.interactive && !values.detach && !context.stdin.isTTY) {
      throw new EngineError('invalidArgument', 'the input device is not a TTY');
    }
    const client = await context.client();
    const detachKeys = await detachKeysOf(context, values['detach-keys']);
    const request = await execRequest(context, values, command);
    const { Id } = await client.exec.create(name, { ...request, DetachKeys: detachKeys });
    if (values.detach) {
      await client.exec.startDetached(Id, { tty: values.tty });
      return 0;
    }
    return runExec(context, client, { id: Id, values, detachKeys });
  },
});

async function execRequest(context: Context, values: ValuesOf<typeof execFlags>, command: readonly string[]) {
  const { environment } = context.config;
  const files = values['env-file'];
  const fromFiles =
    files.length === 0 ? [] : await (await import('../run/read-files.ts')).readEnvFiles(files, environment);
  const size = values.tty ? terminalSize(context) : undefined;
  return {
    AttachStdin: values.interactive && !values.detach,
    AttachStdout: !values.detach,
    AttachStderr: !values.detach,
    Tty: values.tty,
    Cmd: command,
    Env: [...fromFiles, ...resolveEnv(values.env, environment)],
    Privileged: values.privileged,
    User: values.user,
    WorkingDir: values.workdir,
    ...(size === undefined ? {} : { ConsoleSize: [size.height, size.width] as const }),
  };
}

async function runExec(
  context: Context,
  client: Client,
  options: {
    readonly id: string;
    readonly values: ValuesOf<typeof execFlags>;
    readonly detachKeys: string;
  },
): Promise<number> {
  const { id, values, detachKeys } = options;
  const size = values.tty ? terminalSize(context) : undefined;
  const connection = await client.exec.start(id, {
    tty: values.tty,
    ...(size === undefined ? {} : { consoleSize: [size.height, size.width] }),
  });
  using _size = values.tty ? followSize(context, (one) => client.exec.resize(id, one)) : undefined;
  const how = await joinStdio(context, connection, {
    tty: values.tty,
    stdin: values.interactive,
    detachKeys,
  });
  if (how === 'detached') {
    context.stderr.write('read escape sequence\n');
    return 1;
  }
  const { Running, ExitCode } = await client.exec.inspect(id);
  return Running ? 0 : (ExitCode ?? 0);
}
