import type { Client } from '../../client/index.ts';
import { EngineError } from '../../errors/index.ts';
import { type Context, defineCommand } from '../command.ts';
import { bool, text, type ValuesOf } from '../flags.ts';
import { detachKeysOf } from '../terminal/detach-keys.ts';
import { joinStdio } from '../terminal/stdio.ts';
import { containerFlags } from './container-flags.ts';
import { createContainer } from './create.ts';
import { attachedStreams } from './request.ts';

const pullFlag = (verb: string) =>
  text(`Pull image before ${verb} ("always", "missing", "never")`, { initial: 'missing' });

const runFlags = {
  ...containerFlags,
  detach: bool('Run container in background and print container ID', { short: 'd' }),
  'detach-keys': text('Override the key sequence for detaching a container'),
  pull: pullFlag('running'),
  'sig-proxy': bool('Proxy received signals to the process', { initial: true }),
};

type RunFlags = ValuesOf<typeof runFlags>;

export const runCommand = defineCommand({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create and run a new container from an image',
  aliases: ['container run', 'run'],
  minArgs: 1,
  interspersed: false,
  errorStyle: 'run',
  flags: runFlags,
  async run({ context, values, given, args }) {
    if (values.detach && values.attach.length > 0) {
      context.stderr.write('conflicting options: cannot specify both --attach and --detach\n');
      return 1;
    }
    const streams = attachedStreams(values, values.detach);
    if (values.tty && streams.stdin && !context.stdin.isTTY) {
      context.stderr.write('the input device is not a TTY\n');
      return 1;
    }
    const line = { flags: values, given, args, detach: values.detach };
    if (values.detach) {
      const client = await context.client();
      const id = await createContainer(context, client, line);
      try {
        await client.containers.start(id);
      } finally {
        // One that did not start is there all the same.
        context.stdout.write(`${id}\n`);
      }
      return 0;
    }
    const client = await context.client();
    const id = await createContainer(context, client, line);
    return runAttached(context, client, { id, flags: values, streams });
  },
});

export const createCommand = defineCommand({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a new container',
  aliases: ['container create', 'create'],
  minArgs: 1,
  interspersed: false,
  errorStyle: 'create',
  flags: { ...containerFlags, pull: pullFlag('creating') },
  async run({ context, values, given, args }) {
    const client = await context.client();
    const id = await createContainer(context, client, { flags: values, given, args, detach: false });
    context.stdout.write(`${id}\n`);
  },
});

interface Attached {
  readonly id: string;
  readonly flags: RunFlags;
  readonly streams: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
}

/** Attach and wait come before start, so that no output and no exit is missed. */
async function runAttached(
  context: Context,
  client: Client,
  { id, flags, streams }: Attached,
): Promise<number> {
  const { containers } = client;
  const detachKeys = await detachKeysOf(context, flags['detach-keys']);
  const connection = await containers.attach(id, {
    ...streams,
    tty: flags.tty,
    ...(detachKeys === '' ? {} : { detachKeys }),
  });
  const waiting = await containers.wait(id, flags.rm ? 'removed' : 'next-exit');
  using signals = flags['sig-proxy'] ? await forward(client, id) : undefined;
  const joined = joinStdio(context, connection, {
    tty: flags.tty,
    stdin: streams.stdin,
    detachKeys,
  });
  try {
    await containers.start(id);
  } catch (error) {
    connection[Symbol.dispose]();
    await joined.catch(() => undefined);
    if (flags.rm) await waiting.exit.catch(() => undefined);
    throw error;
  }
  using size = flags.tty ? await follow(context, client, id) : undefined;
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

async function forward(client: Client, id: string): Promise<Disposable> {
  const { forwardSignals } = await import('../terminal/signals.ts');
  return forwardSignals((signal) => client.containers.kill(id, signal));
}

async function follow(context: Context, client: Client, id: string): Promise<Disposable> {
  const { followSize } = await import('../terminal/resize.ts');
  return followSize(context, (size) => client.containers.resize(id, size));
}
