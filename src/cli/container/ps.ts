import { defineCommand } from '../command.ts';
import { filter, tableFormat } from '../flag-kinds.ts';
import { bool, int } from '../flags.ts';
import { renderListing } from '../output/listing.ts';
import { listFormat } from '../remote/docker-config.ts';
import { containerListing } from './rows.ts';

export const psCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'List containers',
  aliases: ['container ls', 'container list', 'container ps', 'ps'],
  minArgs: 0,
  maxArgs: 0,
  flags: {
    all: bool('Show all containers (default shows just running)', { short: 'a' }),
    filter: filter('Filter output based on conditions provided', { short: 'f' }),
    format: tableFormat(),
    last: int('Show n last created containers (includes all states)', { short: 'n', initial: -1 }),
    latest: bool('Show the latest created container (includes all states)', { short: 'l' }),
    'no-trunc': bool("Don't truncate output"),
    quiet: bool('Only display container IDs', { short: 'q' }),
    size: bool('Display total file sizes', { short: 's' }),
  },
  async run({ context, values }) {
    const { containers } = await context.client();
    const last = values.latest && values.last === -1 ? 1 : values.last;
    if (values.quiet && values.format !== '') {
      context.stderr.write('WARNING: Ignoring custom format, because both --format and --quiet are set.\n');
    }
    const format = values.quiet ? '' : listFormat(await context.settings(), 'psFormat', values);
    const size = values.size || format.includes('.Size');
    const found = await containers.list({
      ...(values.all ? { all: true } : {}),
      ...(last > 0 ? { limit: last } : {}),
      ...(size ? { size } : {}),
      filters: values.filter,
    });
    const listing = containerListing(found, { trunc: !values['no-trunc'], size: values.size });
    context.stdout.write(renderListing(listing, format, { quiet: values.quiet }));
  },
});
