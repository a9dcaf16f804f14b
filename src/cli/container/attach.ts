import type { Client } from '../../client/index.ts';
import { EngineError } from '../../errors/index.ts';
import { type Context, defineCommand } from '../command.ts';
import { forEach } from '../each.ts';
import { bool, text } from '../flags.ts';
import { detachKeysOf } from '../terminal/detach-keys.ts';
import { followSize } from '../terminal/resize.ts';
import { forwardSignals } from '../terminal/signals.ts';
import { joinStdio } from '../terminal/stdio.ts';

export const attachCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Attach local standard input, output, and error streams to a running container',
  aliases: ['container attach', 'attach'],
  minArgs: 1,
  maxArgs: 1,
  flags: {
    'detach-keys': text('Override the key sequence for detaching a container'),
    'no-stdin': bool('Do not attach STDIN'),
    'sig-proxy': bool('Proxy all received signals to the process', { initial: true }),
  },
  async run({ context, values, args }) {
    const [name = ''] = args;
    const client = await context.client();
    const { State, Config, Id } = await client.containers.inspect(name);
    const refuse = (what: string) => new EngineError('conflict', `You cannot attach to a ${what}`);
    if (!State.Running) throw refuse('stopped container, start it first');
    if (State.Paused) throw refuse('paused container, unpause it first');
    if (State.Restarting) throw refuse('restarting container, wait until it is running');
    const stdin = !values['no-stdin'] && Config.OpenStdin;
    if (Config.Tty && stdin && !context.stdin.isTTY) {
      throw new EngineError('invalidArgument', 'the input device is not a TTY');
    }
    return attachTo(context, client, {
      id: Id,
      tty: Config.Tty,
      stdin,
      detachKeys: await detachKeysOf(context, values['detach-keys']),
      signals: values['sig-proxy'] && !Config.Tty,
    });
  },
});

interface Attaching {
  readonly id: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly detachKeys: string;
  readonly signals: boolean;
  /** Starts it once attached. */
  readonly start?: () => Promise<void>;
}

async function attachTo(context: Context, client: Client, options: Attaching): Promise<number> {
  const { id, tty, stdin, detachKeys } = options;
  const connection = await client.containers.attach(id, {
    tty,
    stdin,
    stdout: true,
    stderr: true,
    ...(detachKeys === '' ? {} : { detachKeys }),
  });
  const waiting = await client.containers.wait(id, options.start === undefined ? 'not-running' : 'next-exit');
  using signals = options.signals
    ? forwardSignals((signal) => client.containers.kill(id, signal))
    : undefined;
  const joined = joinStdio(context, connection, { tty, stdin, detachKeys });
  try {
    await options.start?.();
  } catch (error) {
    connection[Symbol.dispose]();
    await joined.catch(() => undefined);
    throw error;
  }
  using size = tty ? followSize(context, (one) => client.containers.resize(id, one)) : undefined;
  const how = await joined;
  void signals;
  void size;
  if (how === 'detached') {
    context.stderr.write('read escape sequence\n');
    return 0;
  }
  const answer = await waiting.exit;
  if (answer.Error?.Message) throw new EngineError('internal', answer.Error.Message);
  return answer.StatusCode;
}

export const startCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Start one or more stopped containers',
  aliases: ['container start', 'start'],
  minArgs: 1,
  flags: {
    attach: bool('Attach STDOUT/STDERR and forward signals', { short: 'a' }),
    'detach-keys': text('Override the key sequence for detaching a container'),
    interactive: bool("Attach container's STDIN", { short: 'i' }),
  },
  async run({ context, values, args }) {
    const client = await context.client();
    if (!values.attach && !values.interactive) {
      const failed: string[] = [];
      const code = await forEach(context, args, async (one) => {
        try {
          await client.containers.start(one);
        } catch (error) {
          failed.push(one);
          throw error;
        }
      });
      if (failed.length > 0)
        context.stderr.write(`Error: failed to start containers: ${failed.join(', ')}\n`);
      return code;
    }
    const [name = '', ...others] = args;
    if (others.length > 0) {
      throw new EngineError('invalidArgument', 'you cannot start and attach multiple containers at once');
    }
    const { Id, Config } = await client.containers.inspect(name);
    return attachTo(context, client, {
      id: Id,
      tty: Config.Tty,
      stdin: values.interactive && Config.OpenStdin,
      detachKeys: await detachKeysOf(context, values['detach-keys']),
      signals: !Config.Tty,
      start: () => client.containers.start(Id),
    });
  },
});
