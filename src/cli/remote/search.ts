import { defineCommand } from '../command.ts';
import { filter, tableFormat } from '../flag-kinds.ts';
import { bool, int } from '../flags.ts';
import { renderListing } from '../output/listing.ts';
import { ellipsis } from '../output/units.ts';
import { CredentialStore, encodeAuth, hubServer } from './credentials.ts';

const descriptionWidth = 45;

export const searchCommand = defineCommand({
  usage: '[OPTIONS] TERM',
  summary: 'Search Docker Hub for images',
  minArgs: 1,
  maxArgs: 1,
  flags: {
    filter: filter('Filter output based on conditions provided', { short: 'f' }),
    format: tableFormat(),
    limit: int('Max number of search results'),
    'no-trunc': bool("Don't truncate output"),
  },
  async run({ context, values, args }) {
    const [term = ''] = args;
    const host = term.includes('/') ? (term.split('/', 1)[0] ?? '') : '';
    const auth = await new CredentialStore(context).get(/[.:]/.test(host) ? host : hubServer);
    const { images } = await context.client();
    const found = await images.search(term, {
      filters: values.filter,
      ...(values.limit === 0 ? {} : { limit: values.limit }),
      ...encodeAuth(auth),
    });
    const rows = found.map((one) => ({
      Name: one.name,
      Description: values['no-trunc'] ? one.description : ellipsis(one.description, descriptionWidth),
      StarCount: one.star_count,
      IsOfficial: one.is_official ? '[OK]' : '',
      IsAutomated: one.is_automated ? '[OK]' : '',
    }));
    const listing = {
      headings: {
        Name: 'NAME',
        Description: 'DESCRIPTION',
        StarCount: 'STARS',
        IsOfficial: 'OFFICIAL',
        IsAutomated: 'AUTOMATED',
      },
      table: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
      rows,
    };
    context.stdout.write(renderListing(listing, values.format));
  },
});
