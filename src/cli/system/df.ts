import type { BuildCacheRecord, DiskUsage } from '../../api/index.ts';
import { Time } from '../../lib/template/index.ts';
import { defineCommand } from '../command.ts';
import { containerListing } from '../container/rows.ts';
import { tableFormat } from '../flag-kinds.ts';
import { bool } from '../flags.ts';
import { imageListing } from '../image/list.ts';
import { volumeListing } from '../objects/volume.ts';
import { isTable, type Listing, type Row, renderListing, renderListings } from '../output/listing.ts';
import { humanSize, shortId, timeAgo } from '../output/units.ts';

export const dfCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Show disk usage',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    format: tableFormat(),
    verbose: bool('Show detailed information on space usage', { short: 'v' }),
  },
  async run({ context, values }) {
    const usage = await (await context.client()).system.diskUsage();
    const { format } = values;
    context.stdout.write(values.verbose ? verbose(usage, format) : renderListing(summary(usage), format));
  },
});

interface Part {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
}

function summary(usage: DiskUsage): Listing {
  return {
    headings: {
      Type: 'TYPE',
      TotalCount: 'TOTAL',
      Active: 'ACTIVE',
      Size: 'SIZE',
      Reclaimable: 'RECLAIMABLE',
    },
    table: '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}',
    rows: parts(usage).map(partRow),
  };
}

function partRow(part: Part): Row {
  const share = part.size > 0 ? ` (${Math.floor((part.reclaimable / part.size) * 100)}%)` : '';
  return {
    Type: part.type,
    TotalCount: String(part.total),
    Active: String(part.active),
    Size: humanSize(part.size),
    Reclaimable: humanSize(part.reclaimable) + share,
  };
}

const sum = (values: readonly number[]) => values.reduce((total, one) => total + one, 0);

function parts(usage: DiskUsage): Part[] {
  const images = usage.Images ?? [];
  const usedImages = images.filter((image) => image.Containers > 0);
  const used = sum(
    usedImages.map((image) => (image.SharedSize === -1 ? image.Size : image.Size - image.SharedSize)),
  );
  const containers = usage.Containers ?? [];
  const runs = (state: string) => ['running', 'paused', 'restarting'].includes(state);
  const volumes = usage.Volumes ?? [];
  const cache = usage.BuildCache ?? [];
  const size = (list: readonly { readonly SizeRw?: number }[]) => sum(list.map((one) => one.SizeRw ?? 0));
  const volumeSize = (list: typeof volumes) => sum(list.map((one) => Math.max(0, one.UsageData?.Size ?? 0)));
  return [
    {
      type: 'Images',
      total: images.length,
      active: usedImages.length,
      size: usage.LayersSize,
      reclaimable: Math.max(0, usage.LayersSize - used),
    },
    {
      type: 'Containers',
      total: containers.length,
      active: containers.filter((one) => runs(one.State)).length,
      size: size(containers),
      reclaimable: size(containers.filter((one) => !runs(one.State))),
    },
    {
      type: 'Local Volumes',
      total: volumes.length,
      active: volumes.filter((one) => (one.UsageData?.RefCount ?? 0) > 0).length,
      size: volumeSize(volumes),
      reclaimable: volumeSize(volumes.filter((one) => (one.UsageData?.RefCount ?? 0) === 0)),
    },
    {
      type: 'Build Cache',
      total: cache.length,
      active: cache.filter((one) => one.InUse).length,
      size: cacheSize(cache),
      reclaimable: cacheSize(cache.filter((one) => !one.InUse)),
    },
  ];
}

/** What an image shares is counted there. */
function cacheSize(records: readonly BuildCacheRecord[]): number {
  return sum(records.filter((one) => !one.Shared).map((one) => one.Size));
}

function cacheListing(records: readonly BuildCacheRecord[], { trunc }: { readonly trunc: boolean }): Listing {
  const idOf = (id: string) => (trunc ? shortId(id) : id);
  return {
    headings: {
      ID: 'CACHE ID',
      Parent: 'PARENT',
      CacheType: 'CACHE TYPE',
      Size: 'SIZE',
      CreatedSince: 'CREATED',
      LastUsedSince: 'LAST USED',
      UsageCount: 'USAGE',
      InUse: 'IN USE',
      Shared: 'SHARED',
      Description: 'DESCRIPTION',
    },
    table:
      '{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}',
    rows: records.map((one) => ({
      ID: `${idOf(one.ID)}${one.InUse ? '*' : ''}`,
      Parent: idOf((one.Parents ?? []).join(', ')),
      CacheType: one.Type,
      Size: humanSize(one.Size, 3),
      CreatedAt: new Time(one.CreatedAt).toString(),
      CreatedSince: timeAgo(Date.parse(one.CreatedAt)),
      LastUsedAt: one.LastUsedAt === null ? '' : new Time(one.LastUsedAt).toString(),
      LastUsedSince: one.LastUsedAt === null ? '' : timeAgo(Date.parse(one.LastUsedAt)),
      UsageCount: String(one.UsageCount),
      InUse: String(one.InUse),
      Shared: String(one.Shared),
      Description: one.Description,
    })),
  };
}

/** Each image once, by its first name. */
function imagesOf(usage: DiskUsage, options: { readonly trunc: boolean }): Listing {
  const images = (usage.Images ?? []).map((image) => ({
    ...image,
    RepoTags: (image.RepoTags ?? []).slice(0, 1),
    RepoDigests: [],
  }));
  const listing = imageListing(images, { ...options, digests: false });
  return {
    ...listing,
    table:
      '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}',
    rows: listing.rows.map((row) => ({ ...row, Digest: '' })),
  };
}

/** Each with only what it takes itself, without its image. */
function containersOf(usage: DiskUsage, options: { readonly trunc: boolean }): Listing {
  const containers = (usage.Containers ?? []).map((container) => ({ ...container, SizeRootFs: 0 }));
  return {
    ...containerListing(containers, { ...options, size: true }),
    table:
      '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}',
  };
}

function verbose(usage: DiskUsage, format: string): string {
  const options = { trunc: isTable(format) };
  const cache = usage.BuildCache ?? [];
  const lists = {
    Images: imagesOf(usage, options),
    Containers: containersOf(usage, options),
    Volumes: { ...volumeListing(usage.Volumes ?? []), table: '{{.Name}}\t{{.Links}}\t{{.Size}}' },
    BuildCache: cacheListing(cache, options),
  };
  if (format !== '' && format !== 'table') return renderListings(lists, format);
  return [
    'Images space usage:\n',
    renderListing(lists.Images, ''),
    '\nContainers space usage:\n',
    renderListing(lists.Containers, ''),
    '\nLocal Volumes space usage:\n',
    renderListing(lists.Volumes, ''),
    `\nBuild cache usage: ${humanSize(cacheSize(cache))}\n`,
    renderListing(lists.BuildCache, ''),
  ].join('\n');
}
