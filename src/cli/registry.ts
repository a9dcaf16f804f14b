import { EngineError } from '../errors/index.ts';
import { defineCommand } from './command.ts';
import { bool, parsed, text } from './flags.ts';
import { humanSize } from './output/units.ts';

/** The edge where the CLI meets the registry server, which is loaded only to run. */
const server = () => import('../registry/server/index.ts');

const root = text('Directory of the content');
const config = text('Path of a configuration file, JSON or YAML');

/** `90s`, `12h` or `30d`; undefined when not given. */
const age = (usage: string) =>
  parsed<number | undefined>('duration', usage, { initial: undefined, read: parseAge });

export const registryServeCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Run a registry',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    config,
    host: text('Address to listen on, ADDRESS:PORT', { initial: '127.0.0.1:5000' }),
    root,
  },
  async run({ values }) {
    const { serveRegistry } = await server();
    await serveRegistry({ root: needed(values.root), host: values.host, ...configOf(values.config) });
    return 0;
  },
});

export const registryGcCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove what a registry no longer needs, also while it is served',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    config,
    'delete-untagged': age('Remove manifests without a tag that were not used for so long'),
    'dry-run': bool('Show what would be removed, and remove nothing'),
    grace: age('Keep what was used within this time (default 24h)'),
    root,
  },
  async run({ values, context }) {
    const { collectRegistry } = await server();
    const dryRun = values['dry-run'];
    const untaggedMs = values['delete-untagged'];
    const report = await collectRegistry({
      root: needed(values.root),
      dryRun,
      ...configOf(values.config),
      ...(values.grace === undefined ? {} : { graceMs: values.grace }),
      ...(untaggedMs === undefined ? {} : { untaggedMs }),
      onRemoval: ({ kind, repository, name }) => {
        const place = repository === undefined ? '' : `${repository} `;
        context.stdout.write(`${dryRun ? 'would remove' : 'removed'} ${kind} ${place}${name}\n`);
      },
    });
    if (report === undefined) throw new EngineError('conflict', 'another garbage collection is running');
    const { freedBlobs, freedBytes } = report;
    const verb = dryRun ? 'Could free now' : 'Freed';
    context.stdout.write(`${verb}: ${freedBlobs} blobs, ${humanSize(freedBytes)}\n`);
    return 0;
  },
});

function needed(path: string): string {
  if (path !== '') return path;
  throw new EngineError('invalidArgument', 'the --root flag is needed: the directory of the content');
}

function configOf(path: string): { readonly config?: string } {
  return path === '' ? {} : { config: path };
}

function parseAge(value: string): number {
  const match = /^(\d+)(s|m|h|d)$/.exec(value);
  const unit = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    throw new EngineError('invalidArgument', 'a time such as 90s, 12h or 30d is expected');
  }
  return Number(match[1]) * unit;
}
