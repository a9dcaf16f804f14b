import type { ContainerInspect } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { forEach } from '../each.ts';
import { bool, text } from '../flags.ts';
import { attachTo } from '../terminal/attached.ts';
import { detachKeysOf } from '../terminal/detach-keys.ts';
import { forceRedraw } from '../terminal/resize.ts';

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
    const { containers } = client;
    const inspectRunning = async () => assertRunning(await containers.inspect(name));
    const { Config, Id } = await inspectRunning();
    const stdin = !values['no-stdin'] && Config.OpenStdin;
    if (Config.Tty && stdin && !context.stdin.isTTY) {
      throw new EngineError('invalidArgument', 'the input device is not a TTY');
    }
    const code = await attachTo(context, client, {
      id: Id,
      tty: Config.Tty,
      streams: { stdin, stdout: true, stderr: true },
      detachKeys: await detachKeysOf(context, values['detach-keys']),
      signals: values['sig-proxy'] && !Config.Tty,
      until: 'not-running',
      begin: async () => {
        // One that has ended meanwhile would be waited for until its next end.
        await inspectRunning();
        if (Config.Tty) await forceRedraw(context, (size) => containers.resize(Id, size));
      },
    });
    if (code !== undefined) return code;
    context.stderr.write('read escape sequence\n');
    return 1;
  },
});

function assertRunning(container: ContainerInspect): ContainerInspect {
  const { Running, Paused, Restarting } = container.State;
  const refuse = (what: string) => new EngineError('conflict', `You cannot attach to a ${what}`);
  if (!Running) throw refuse('stopped container, start it first');
  if (Paused) throw refuse('paused container, unpause it first');
  if (Restarting) throw refuse('restarting container, wait until it is running');
  return container;
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
    const { Id, Config, HostConfig } = await client.containers.inspect(name);
    const code = await attachTo(context, client, {
      id: Id,
      tty: Config.Tty,
      streams: { stdin: values.interactive && Config.OpenStdin, stdout: true, stderr: true },
      detachKeys: await detachKeysOf(context, values['detach-keys']),
      signals: !Config.Tty,
      until: HostConfig.AutoRemove ? 'removed' : 'next-exit',
      begin: () => client.containers.start(Id),
    });
    return code ?? 0;
  },
});
