import { defineCommand } from '../command.ts';
import { bool, text } from '../flags.ts';
import { attachTo } from '../terminal/attached.ts';
import { detachKeysOf } from '../terminal/detach-keys.ts';
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
    const code = await attachTo(context, client, {
      id,
      tty: values.tty,
      streams,
      detachKeys: await detachKeysOf(context, values['detach-keys']),
      signals: values['sig-proxy'],
      until: values.rm ? 'removed' : 'next-exit',
      begin: () => client.containers.start(id),
    });
    return code ?? 0;
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
