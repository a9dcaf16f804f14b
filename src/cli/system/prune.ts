import type { FilterValues } from '../../client/index.ts';
import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { bytes, filter } from '../flag-kinds.ts';
import { bool } from '../flags.ts';
import { humanSize } from '../output/units.ts';
import { pruneFilters } from '../remote/docker-config.ts';

export const builderPruneCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove build cache',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    all: bool('Remove all unused build cache, not just dangling ones', { short: 'a' }),
    filter: filter('Provide filter values (e.g. "until=24h")'),
    force: bool('Do not prompt for confirmation', { short: 'f' }),
    'keep-storage': bytes('Amount of disk space to keep for cache'),
  },
  async run({ context, values }) {
    const what = values.all ? 'all build cache.' : 'all dangling build cache.';
    if (!values.force && !(await confirm(context, `This will remove ${what}`))) return 0;
    const { system } = await context.client();
    const pruned = await system.pruneBuildCache({
      all: values.all,
      filters: pruneFilters(await context.settings(), values.filter),
      ...(values['keep-storage'] === 0 ? {} : { keepStorage: values['keep-storage'] }),
    });
    const ids = pruned.CachesDeleted ?? [];
    if (ids.length > 0)
      context.stdout.write(`Deleted build cache objects:\n${ids.map((id) => `${id}\n`).join('')}\n`);
    context.stdout.write(`Total reclaimed space: ${humanSize(pruned.SpaceReclaimed)}\n`);
    return 0;
  },
});

export const systemPruneCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove unused data',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    all: bool('Remove all unused images not just dangling ones', { short: 'a' }),
    filter: filter('Provide filter values (e.g. "label=<key>=<value>")'),
    force: bool('Do not prompt for confirmation', { short: 'f' }),
    volumes: bool('Prune anonymous volumes'),
  },
  async run({ context, values }) {
    if (values.volumes && Object.hasOwn(values.filter, 'until')) {
      throw new EngineError('invalidArgument', 'ERROR: The "until" filter is not supported with "--volumes"');
    }
    const filters = pruneFilters(await context.settings(), values.filter);
    const question = `This will remove:\n${warnings(values)}\n${filtered(filters)}`;
    if (!values.force && !(await confirm(context, question))) return 0;
    const client = await context.client();
    const write = (title: string, items: readonly string[]) => {
      if (items.length > 0) context.stdout.write(`${title}:\n${items.map((item) => `${item}\n`).join('')}\n`);
    };
    const containers = await client.containers.prune(filters);
    write('Deleted Containers', containers.ContainersDeleted ?? []);
    write('Deleted Networks', (await client.networks.prune(filters)).NetworksDeleted ?? []);
    let reclaimed = containers.SpaceReclaimed;
    if (values.volumes) {
      const volumes = await client.volumes.prune(filters);
      write('Deleted Volumes', volumes.VolumesDeleted ?? []);
      reclaimed += volumes.SpaceReclaimed;
    }
    const images = await client.images.prune({ ...filters, dangling: [values.all ? 'false' : 'true'] });
    const lines = (images.ImagesDeleted ?? []).map((item) =>
      'Untagged' in item ? `untagged: ${item.Untagged}` : `deleted: ${item.Deleted}`,
    );
    write('Deleted Images', lines);
    const cache = await client.system.pruneBuildCache({ all: values.all, filters });
    write('Deleted build cache objects', cache.CachesDeleted ?? []);
    reclaimed += images.SpaceReclaimed + cache.SpaceReclaimed;
    context.stdout.write(`Total reclaimed space: ${humanSize(reclaimed)}\n`);
    return 0;
  },
});

function warnings(values: { readonly all: boolean; readonly volumes: boolean }): string {
  return [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(values.volumes ? ['all anonymous volumes not used by at least one container'] : []),
    values.all ? 'all images without at least one container associated to them' : 'all dangling images',
    values.all ? 'all build cache' : 'unused build cache',
  ]
    .map((line) => `  - ${line}`)
    .join('\n');
}

/** What a prune heeds beside its flags must be seen before it is agreed to. */
function filtered(filters: FilterValues): string {
  const said = ['label', 'label!', 'until'].flatMap((name) =>
    (filters[name] ?? []).map((value) => `  - ${name}=${value}\n`),
  );
  return said.length === 0 ? '' : `\n  Items to be pruned will be filtered with:\n${said.sort().join('')}`;
}
