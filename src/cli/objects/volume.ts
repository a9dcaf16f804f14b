import type { Volume } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { forEachRemoved } from '../each.ts';
import { filter, map, tableFormat } from '../flag-kinds.ts';
import { bool, list, text } from '../flags.ts';
import { type Listing, renderListing } from '../output/listing.ts';
import { humanSize } from '../output/units.ts';
import { listFormat, pruneFilters } from '../remote/docker-config.ts';
import { parsePairs } from '../run/resources.ts';

export const volumeCreateCommand = defineCommand({
  usage: '[OPTIONS] [VOLUME]',
  summary: 'Create a volume',
  minArgs: 0,
  maxArgs: 1,
  flags: {
    driver: text('Specify volume driver name', { short: 'd', initial: 'local' }),
    label: list('Set metadata for a volume'),
    name: text('Specify volume name', { hidden: true }),
    opt: map('Set driver specific options', { short: 'o' }),
  },
  async run({ context, values, args }) {
    const [name = values.name] = args;
    if (args.length > 0 && values.name !== '') {
      throw new EngineError(
        'invalidArgument',
        'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
      );
    }
    const { volumes } = await context.client();
    const volume = await volumes.create({
      Name: name,
      Driver: values.driver,
      DriverOpts: values.opt,
      Labels: parsePairs(values.label),
    });
    context.stdout.write(`${volume.Name}\n`);
  },
});

/** The list of `volume ls`. */
export function volumeListing(volumes: readonly Volume[]): Listing {
  return {
    headings: {
      Name: 'VOLUME NAME',
      Driver: 'DRIVER',
      Scope: 'SCOPE',
      Mountpoint: 'MOUNTPOINT',
      Labels: 'LABELS',
      Links: 'LINKS',
      Size: 'SIZE',
      Availability: 'AVAILABILITY',
      Group: 'GROUP',
      Status: 'STATUS',
    },
    table: '{{.Driver}}\t{{.Name}}',
    quiet: '{{.Name}}',
    rows: volumes.map((volume) => ({
      Name: volume.Name,
      Driver: volume.Driver,
      Scope: volume.Scope,
      Mountpoint: volume.Mountpoint,
      Labels: Object.entries(volume.Labels ?? {})
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(','),
      Label: (name: string) => volume.Labels?.[name] ?? '',
      Links: volume.UsageData === undefined ? 'N/A' : String(volume.UsageData.RefCount),
      Size: volume.UsageData === undefined ? 'N/A' : humanSize(volume.UsageData.Size),
      Availability: 'N/A',
      Group: 'N/A',
      Status: 'N/A',
    })),
  };
}

export const volumeLsCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'List volumes',
  aliases: ['volume ls', 'volume list'],
  minArgs: 0,
  maxArgs: 0,
  flags: {
    filter: filter('Provide filter values (e.g. "dangling=true")', { short: 'f' }),
    format: tableFormat(),
    quiet: bool('Only display volume names', { short: 'q' }),
  },
  async run({ context, values }) {
    const { volumes } = await context.client();
    const { Volumes } = await volumes.list(values.filter);
    const sorted = [...(Volumes ?? [])].sort((a, b) => a.Name.localeCompare(b.Name));
    const format = listFormat(await context.settings(), 'volumesFormat', values);
    context.stdout.write(renderListing(volumeListing(sorted), format, { quiet: values.quiet }));
  },
});

export const volumeRmCommand = defineCommand({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Remove one or more volumes',
  details: 'Remove one or more volumes. You cannot remove a volume that is in use by a container.',
  aliases: ['volume rm', 'volume remove'],
  minArgs: 1,
  flags: { force: bool('Force the removal of one or more volumes', { short: 'f' }) },
  async run({ context, values, args }) {
    const { volumes } = await context.client();
    const remove = (name: string) => volumes.remove(name, values);
    return forEachRemoved(context, args, { force: values.force, remove });
  },
});

export const volumePruneCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove unused local volumes',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    all: bool('Remove all unused volumes, not just anonymous ones', { short: 'a' }),
    filter: filter('Provide filter values (e.g. "label=<label>")'),
    force: bool('Do not prompt for confirmation', { short: 'f' }),
  },
  async run({ context, values }) {
    const what = values.all
      ? 'all local volumes not used by at least one container.'
      : 'anonymous local volumes not used by at least one container.';
    if (!values.force && !(await confirm(context, `This will remove ${what}`))) return 0;
    const { volumes } = await context.client();
    const filters = pruneFilters(await context.settings(), values.filter);
    const pruned = await volumes.prune({ ...filters, ...(values.all ? { all: ['true'] } : {}) });
    const names = pruned.VolumesDeleted ?? [];
    if (names.length > 0)
      context.stdout.write(`Deleted Volumes:\n${names.map((name) => `${name}\n`).join('')}\n`);
    context.stdout.write(`Total reclaimed space: ${humanSize(pruned.SpaceReclaimed)}\n`);
    return 0;
  },
});
