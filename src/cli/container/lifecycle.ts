import type { StopQuery } from '../../client/index.ts';
import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { forEach, forEachAtOnce } from '../each.ts';
import { bool, int, text } from '../flags.ts';

const many = 'CONTAINER [CONTAINER...]';

const stopFlags = {
  signal: text('Signal to send to the container', { short: 's' }),
  timeout: int('Seconds to wait before killing the container', { short: 't' }),
  'stop-deaf': text('Kill at once if the signal can have no effect, or wait all the same (kill|wait)'),
  time: int('Seconds to wait before killing the container', { hidden: true }),
};

function stopQuery(
  values: { signal: string; timeout: number; time: number; 'stop-deaf': string },
  given: ReadonlySet<string>,
): StopQuery {
  const deaf = values['stop-deaf'];
  if (deaf !== '' && deaf !== 'kill' && deaf !== 'wait') {
    throw new EngineError(
      'invalidArgument',
      `invalid --stop-deaf ${JSON.stringify(deaf)}: must be "kill" or "wait"`,
    );
  }
  const seconds = given.has('timeout') ? values.timeout : given.has('time') ? values.time : undefined;
  return {
    ...(values.signal === '' ? {} : { signal: values.signal }),
    ...(seconds === undefined ? {} : { timeoutSeconds: seconds }),
    ...(deaf === '' ? {} : { deaf }),
  };
}

export const stopCommand = defineCommand({
  usage: `[OPTIONS] ${many}`,
  summary: 'Stop one or more running containers',
  aliases: ['container stop', 'stop'],
  minArgs: 1,
  flags: stopFlags,
  async run({ context, values, given, args }) {
    const { containers } = await context.client();
    return forEachAtOnce(context, args, (name) => containers.stop(name, stopQuery(values, given)));
  },
});

export const restartCommand = defineCommand({
  usage: `[OPTIONS] ${many}`,
  summary: 'Restart one or more containers',
  aliases: ['container restart', 'restart'],
  minArgs: 1,
  flags: stopFlags,
  async run({ context, values, given, args }) {
    const { containers } = await context.client();
    return forEach(context, args, (name) => containers.restart(name, stopQuery(values, given)));
  },
});

export const killCommand = defineCommand({
  usage: `[OPTIONS] ${many}`,
  summary: 'Kill one or more running containers',
  aliases: ['container kill', 'kill'],
  minArgs: 1,
  flags: { signal: text('Signal to send to the container', { short: 's' }) },
  async run({ context, values, args }) {
    const { containers } = await context.client();
    return forEachAtOnce(context, args, (name) => containers.kill(name, values.signal || undefined));
  },
});

export const pauseCommand = defineCommand({
  usage: many,
  summary: 'Pause all processes within one or more containers',
  aliases: ['container pause', 'pause'],
  minArgs: 1,
  flags: {},
  async run({ context, args }) {
    const { containers } = await context.client();
    return forEachAtOnce(context, args, (name) => containers.pause(name));
  },
});

export const unpauseCommand = defineCommand({
  usage: many,
  summary: 'Unpause all processes within one or more containers',
  aliases: ['container unpause', 'unpause'],
  minArgs: 1,
  flags: {},
  async run({ context, args }) {
    const { containers } = await context.client();
    return forEachAtOnce(context, args, (name) => containers.unpause(name));
  },
});

export const waitCommand = defineCommand({
  usage: many,
  summary: 'Block until one or more containers stop, then print their exit codes',
  aliases: ['container wait', 'wait'],
  minArgs: 1,
  flags: {},
  async run({ context, args }) {
    const { containers } = await context.client();
    return forEach(context, args, async (name) => {
      const { exit } = await containers.wait(name);
      return String((await exit).StatusCode);
    });
  },
});

export const rmCommand = defineCommand({
  usage: `[OPTIONS] ${many}`,
  summary: 'Remove one or more containers',
  aliases: ['container rm', 'container remove', 'rm'],
  minArgs: 1,
  flags: {
    force: bool('Force the removal of a running container (uses SIGKILL)', { short: 'f' }),
    link: bool('Remove the specified link', { short: 'l' }),
    volumes: bool('Remove anonymous volumes associated with the container', { short: 'v' }),
  },
  async run({ context, values, args }) {
    const { containers } = await context.client();
    const { forEachRemoved } = await import('../each.ts');
    const remove = (name: string) => containers.remove(name.replace(/^\/+/, ''), values);
    return forEachRemoved(context, args, { force: values.force, remove });
  },
});

export const renameCommand = defineCommand({
  usage: 'CONTAINER NEW_NAME',
  summary: 'Rename a container',
  aliases: ['container rename', 'rename'],
  minArgs: 2,
  maxArgs: 2,
  flags: {},
  async run({ context, args }) {
    const [from = '', to = ''] = args;
    await (await context.client()).containers.rename(from, to);
  },
});
