import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { filter } from '../flag-kinds.ts';
import { bool, list, text } from '../flags.ts';
import { refuseTerminal, writeOutput } from '../image/manage.ts';
import { splitReference } from '../image/reference.ts';
import { humanSize } from '../output/units.ts';
import { pruneFilters } from '../remote/docker-config.ts';

export const exportCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: "Export a container's filesystem as a tar archive",
  aliases: ['container export', 'export'],
  minArgs: 1,
  maxArgs: 1,
  flags: { output: text('Write to a file, instead of STDOUT', { short: 'o' }) },
  async run({ context, values, args }) {
    refuseTerminal(context, values.output, 'save');
    const { containers } = await context.client();
    await writeOutput(context, await containers.export(args[0] ?? ''), values.output);
  },
});

export const commitCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  summary: "Create a new image from a container's changes",
  aliases: ['container commit', 'commit'],
  minArgs: 1,
  maxArgs: 2,
  flags: {
    author: text('Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: 'a' }),
    change: list('Apply Dockerfile instruction to the created image', { short: 'c' }),
    message: text('Commit message', { short: 'm' }),
    pause: bool('Pause container during commit', { short: 'p', initial: true }),
  },
  async run({ context, values, args }) {
    const [name = '', reference] = args;
    const { containers } = await context.client();
    const { Id } = await containers.commit(name, {
      ...(reference === undefined ? {} : splitReference(reference)),
      ...(values.message === '' ? {} : { comment: values.message }),
      ...(values.author === '' ? {} : { author: values.author }),
      pause: values.pause,
      changes: values.change,
    });
    context.stdout.write(`${Id}\n`);
  },
});

export const containerPruneCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove all stopped containers',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    filter: filter('Provide filter values (e.g. "until=<timestamp>")'),
    force: bool('Do not prompt for confirmation', { short: 'f' }),
  },
  async run({ context, values }) {
    if (!values.force && !(await confirm(context, 'This will remove all stopped containers.'))) return 0;
    const { containers } = await context.client();
    const pruned = await containers.prune(pruneFilters(await context.settings(), values.filter));
    const ids = pruned.ContainersDeleted ?? [];
    if (ids.length > 0) context.stdout.write(`Deleted Containers:\n${ids.map((id) => `${id}\n`).join('')}\n`);
    context.stdout.write(`Total reclaimed space: ${humanSize(pruned.SpaceReclaimed)}\n`);
    return 0;
  },
});
