import type { ImageLayerReport, ImageLayersReport, StoreChange } from '../../api/index.ts';
import { defineCommand } from '../command.ts';
import { tableFormat } from '../flag-kinds.ts';
import { bool } from '../flags.ts';
import { type Listing, renderListing } from '../output/listing.ts';
import { ellipsis, humanSize, shortId } from '../output/units.ts';

const letters = { added: 'A', changed: 'C', removed: 'D' } as const;

export const imageDiffCommand = defineCommand({
  usage: '[OPTIONS] IMAGE|CONTAINER IMAGE|CONTAINER',
  summary: 'Show the files that differ between two images or containers',
  details: 'A is added, C changed, D removed. Times of files are left out.',
  minArgs: 2,
  maxArgs: 2,
  flags: { format: tableFormat(), quiet: bool('Only show the paths', { short: 'q' }) },
  async run({ context, values, args }) {
    const [from = '', to = ''] = args;
    const diff = await (await context.client()).store.imageDiff(from, to);
    if (values.format === 'json') {
      context.stdout.write(`${JSON.stringify(diff)}\n`);
      return;
    }
    context.stdout.write(renderListing(changeListing(diff.Changes), values.format, { quiet: values.quiet }));
    if (values.format !== '' || values.quiet) return;
    context.stdout.write(
      `\n${diff.Added} added, ${diff.Changed} changed, ${diff.Removed} removed: ` +
        `+${humanSize(diff.BytesAdded)} -${humanSize(diff.BytesRemoved)}\n`,
    );
  },
});

export const imageLayersCommand = defineCommand({
  usage: '[OPTIONS] IMAGE',
  summary: 'Show what each layer of an image adds, changes and removes, and the bytes it wastes',
  details:
    'WASTED is what the layer hides of those below: files it replaces or removes, that are carried along.',
  minArgs: 1,
  maxArgs: 1,
  flags: {
    changes: bool('Show every path'),
    format: tableFormat(),
    'no-trunc': bool("Don't truncate output"),
  },
  async run({ context, values, args }) {
    const { store } = await context.client();
    const report = await store.imageLayers(args[0] ?? '', values.changes ? { changes: true } : {});
    if (values.format === 'json') {
      context.stdout.write(`${JSON.stringify(report)}\n`);
      return;
    }
    context.stdout.write(renderListing(layerListing(report, !values['no-trunc']), values.format));
    if (values.format !== '') return;
    for (const [index, layer] of values.changes ? report.Layers.entries() : []) {
      context.stdout.write(`\nLayer ${index + 1} ${shortId(layer.DiffId)}:\n`);
      context.stdout.write(renderListing(changeListing(layer.Changes ?? []), ''));
    }
    const share = report.Size === 0 ? 0 : (report.WastedBytes / report.Size) * 100;
    context.stdout.write(
      `\n${humanSize(report.Size)} in ${report.Layers.length} layers, ${humanSize(report.WastedBytes)} ` +
        `(${share.toFixed(1)}%) of it wasted\n`,
    );
  },
});

function changeListing(changes: readonly StoreChange[]): Listing {
  return {
    headings: { Kind: 'KIND', Path: 'PATH', Size: 'SIZE', Before: 'BEFORE' },
    table: '{{.Kind}}\t{{.Size}}\t{{.Before}}\t{{.Path}}',
    quiet: '{{.Path}}',
    rows: changes.map((change) => ({
      Kind: letters[change.Kind],
      Path: change.Path,
      Size: change.Kind === 'removed' ? '-' : humanSize(change.Size),
      Before: change.Kind === 'added' ? '-' : humanSize(change.Before),
    })),
  };
}

function layerListing(report: ImageLayersReport, trunc: boolean): Listing {
  return {
    headings: {
      Layer: 'LAYER',
      Size: 'SIZE',
      Blob: 'BLOB',
      Added: 'ADDED',
      Changed: 'CHANGED',
      Removed: 'REMOVED',
      Wasted: 'WASTED',
      CreatedBy: 'CREATED BY',
    },
    table:
      '{{.Layer}}\t{{.Size}}\t{{.Blob}}\t{{.Added}}\t{{.Changed}}\t{{.Removed}}\t{{.Wasted}}\t{{.CreatedBy}}',
    rows: report.Layers.map((layer) => layerRow(layer, trunc)),
  };
}

function layerRow(layer: ImageLayerReport, trunc: boolean) {
  const createdBy = layer.CreatedBy.replaceAll(/\s+/g, ' ');
  return {
    Layer: trunc ? shortId(layer.DiffId) : layer.DiffId,
    Size: humanSize(layer.Size),
    Blob: humanSize(layer.Blob.Size),
    Added: String(layer.Added),
    Changed: String(layer.Changed),
    Removed: String(layer.Removed),
    Wasted: humanSize(layer.WastedBytes),
    CreatedBy: trunc ? ellipsis(createdBy, 45) : createdBy,
  };
}
