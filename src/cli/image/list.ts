import type { ImageHistoryItem, ImageSummary } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { filter, tableFormat } from '../flag-kinds.ts';
import { bool, text } from '../flags.ts';
import { type Listing, type Row, renderListing } from '../output/listing.ts';
import { ellipsis, goTime, humanSize, shortId, timeAgo } from '../output/units.ts';
import { platformOf } from '../platform.ts';
import { listFormat } from '../remote/docker-config.ts';

export const imagesCommand = defineCommand({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  aliases: ['image ls', 'image list', 'images'],
  minArgs: 0,
  maxArgs: 1,
  flags: {
    all: bool('Show all images (default hides intermediate images)', { short: 'a' }),
    digests: bool('Show digests'),
    filter: filter('Filter output based on conditions provided', { short: 'f' }),
    format: tableFormat(),
    'no-trunc': bool("Don't truncate output"),
    quiet: bool('Only show image IDs', { short: 'q' }),
    tree: bool('List multi-platform images as a tree (EXPERIMENTAL)', { hidden: true }),
  },
  async run({ context, values, args }) {
    if (values.tree)
      throw new EngineError('notImplemented', '--tree is not supported: images have one platform');
    const [reference] = args;
    const { images } = await context.client();
    const found = await images.list({
      ...(values.all ? { all: true } : {}),
      filters: { ...values.filter, ...(reference === undefined ? {} : { reference: [reference] }) },
    });
    const format = listFormat(await context.settings(), 'imagesFormat', values);
    const digests = values.digests || format.includes('.Digest');
    const listing = imageListing(found, { trunc: !values['no-trunc'], digests });
    context.stdout.write(renderListing(listing, format, { quiet: values.quiet }));
  },
});

export function imageListing(
  images: readonly ImageSummary[],
  options: { readonly trunc: boolean; readonly digests: boolean },
): Listing {
  const digest = options.digests ? '{{.Digest}}\t' : '';
  return {
    headings: {
      ID: 'IMAGE ID',
      Repository: 'REPOSITORY',
      Tag: 'TAG',
      Digest: 'DIGEST',
      CreatedSince: 'CREATED',
      CreatedAt: 'CREATED AT',
      Size: 'SIZE',
      Containers: 'CONTAINERS',
      VirtualSize: 'SIZE',
      SharedSize: 'SHARED SIZE',
      UniqueSize: 'UNIQUE SIZE',
    },
    table: `{{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
    quiet: '{{.ID}}',
    rows: images.flatMap((image) => imageRows(image, options)),
  };
}

interface Name {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** One row for each tag; with digests one for each tag and digest; `<none>` for an image without a name. */
function imageRows(
  image: ImageSummary,
  options: { readonly trunc: boolean; readonly digests: boolean },
): Row[] {
  const tags = (image.RepoTags ?? []).filter((tag) => tag !== '<none>:<none>');
  const digests = (image.RepoDigests ?? []).filter((digest) => digest !== '<none>@<none>');
  const digestsOf = (repository: string) =>
    digests.flatMap((one) => (one.startsWith(`${repository}@`) ? [one.slice(repository.length + 1)] : []));
  const names: Name[] = tags.flatMap((full) => {
    const colon = full.lastIndexOf(':');
    const [repository, tag] = [full.slice(0, colon), full.slice(colon + 1)];
    const known = options.digests ? digestsOf(repository) : [];
    return (known.length === 0 ? ['<none>'] : known).map((digest) => ({ repository, tag, digest }));
  });
  if (names.length === 0) {
    const unnamed = digests.map((one): Name => {
      const at = one.indexOf('@');
      return { repository: one.slice(0, at), tag: '<none>', digest: one.slice(at + 1) };
    });
    names.push(
      ...(unnamed.length > 0 ? unnamed : [{ repository: '<none>', tag: '<none>', digest: '<none>' }]),
    );
  }
  return names.map((name) => imageRow(image, name, options.trunc));
}

function imageRow(image: ImageSummary, name: Name, trunc: boolean): Row {
  const unknown = (value: number) => (value === -1 ? 'N/A' : humanSize(value));
  return {
    ID: trunc ? shortId(image.Id) : image.Id,
    Repository: name.repository,
    Tag: name.tag,
    Digest: name.digest,
    CreatedSince: timeAgo(image.Created * 1000),
    CreatedAt: goTime(image.Created * 1000),
    Size: humanSize(image.Size, 3),
    Containers: image.Containers === -1 ? 'N/A' : String(image.Containers),
    VirtualSize: humanSize(image.Size),
    SharedSize: unknown(image.SharedSize),
    UniqueSize: image.SharedSize === -1 ? 'N/A' : humanSize(image.Size - image.SharedSize),
  };
}

export const historyCommand = defineCommand({
  usage: '[OPTIONS] IMAGE',
  summary: 'Show the history of an image',
  aliases: ['image history', 'history'],
  minArgs: 1,
  maxArgs: 1,
  flags: {
    format: tableFormat(),
    human: bool('Print sizes and dates in human readable format', { short: 'H', initial: true }),
    'no-trunc': bool("Don't truncate output"),
    platform: text(
      'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: bool('Only show image IDs', { short: 'q' }),
  },
  async run({ context, values, args }) {
    const { images } = await context.client();
    const items = await images.history(args[0] ?? '', platformOf(values.platform));
    const rows = items.map((item) => historyRow(item, { trunc: !values['no-trunc'], human: values.human }));
    const created = values.human ? '{{.CreatedSince}}' : '{{.CreatedAt}}';
    const listing: Listing = {
      headings: {
        ID: 'IMAGE',
        CreatedSince: 'CREATED',
        CreatedAt: 'CREATED AT',
        CreatedBy: 'CREATED BY',
        Size: 'SIZE',
        Comment: 'COMMENT',
      },
      table: `{{.ID}}\t${created}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`,
      quiet: '{{.ID}}',
      rows,
    };
    context.stdout.write(renderListing(listing, values.format, { quiet: values.quiet }));
  },
});

function historyRow(
  item: ImageHistoryItem,
  options: { readonly trunc: boolean; readonly human: boolean },
): Row {
  const createdBy = item.CreatedBy.replaceAll('\t', ' ');
  return {
    ID: options.trunc && item.Id !== '<missing>' ? shortId(item.Id) : item.Id,
    CreatedSince: timeAgo(item.Created * 1000),
    CreatedAt: new Date(item.Created * 1000).toISOString().replace('.000Z', 'Z'),
    CreatedBy: options.trunc ? ellipsis(createdBy, 45) : createdBy,
    Size: options.human ? humanSize(item.Size, 3) : String(item.Size),
    Comment: item.Comment,
  };
}
