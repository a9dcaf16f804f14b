import {
  type PruneItem,
  type PruneKind,
  type PruneOutcome,
  type PrunePlan,
  pruneKinds,
} from '../../api/index.ts';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { filter, tableFormat } from '../flag-kinds.ts';
import { bool, strings, text } from '../flags.ts';
import { type Listing, renderListing } from '../output/listing.ts';
import { ellipsis, humanSize, shortId } from '../output/units.ts';
import { pruneFilters } from '../remote/docker-config.ts';

export const pruneCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove what is not used, by a plan that lists every object first',
  details:
    'Without --plan and --apply it shows the plan, asks, and applies it. PLAN is the id of a plan, or a file with one as\n' +
    '`--plan --format json` gave it. What came into use since a plan was made is left, and said.',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    all: bool('Also images that have a name but no container, and shared build cache', { short: 'a' }),
    apply: text('Remove what this plan lists, and nothing else'),
    filter: filter('Provide filter values (e.g. "label=<key>=<value>", "until=<timestamp>")'),
    force: bool('Do not prompt for confirmation', { short: 'f' }),
    format: tableFormat(),
    'named-volumes': bool('Also volumes with a name'),
    only: strings(`Only these kinds of objects (${pruneKinds.join(', ')})`),
    plan: bool('Only show what would be removed, with bytes and reason'),
    volumes: bool('Also anonymous volumes'),
  },
  async run({ context, values }) {
    const { store } = await context.client();
    const write = (text: string) => void context.stdout.write(text);
    const show = (outcome: PruneOutcome) => {
      write(values.format === 'json' ? `${JSON.stringify(outcome)}\n` : outcomeText(outcome));
    };
    if (values.apply !== '') {
      if (values.plan) throw new EngineError('invalidArgument', '--plan and --apply cannot be used together');
      show(await store.applyPrune(await readPlan(values.apply)));
      return 0;
    }
    const plan = await store.planPrune({
      kinds: kindsOf(values),
      all: values.all,
      namedVolumes: values['named-volumes'],
      filters: pruneFilters(await context.settings(), values.filter),
    });
    if (values.format === 'json') write(values.plan ? `${JSON.stringify(plan)}\n` : '');
    else write(renderListing(planListing(plan), values.format));
    if (values.plan) {
      if (values.format === '') write(`\n${summary(plan)}. Apply it with: gantry prune --apply ${plan.ID}\n`);
      return 0;
    }
    const question = `This will remove ${summary(plan)}.`;
    if (plan.Items.length > 0 && !values.force && !(await confirm(context, question))) return 0;
    show(await store.applyPrune(plan.ID));
    return 0;
  },
});

function kindsOf(values: {
  readonly only: readonly string[];
  readonly volumes: boolean;
  readonly 'named-volumes': boolean;
}): PruneKind[] {
  if (values.only.length > 0) return values.only as PruneKind[];
  const volumes = values.volumes || values['named-volumes'];
  return pruneKinds.filter((kind) => kind !== 'volume' || volumes);
}

/** A file that holds a plan, else what is taken for an id. */
async function readPlan(text: string): Promise<string | PrunePlan> {
  const { readFile } = await import('node:fs/promises');
  let content: string;
  try {
    content = await readFile(text === '-' ? '/dev/stdin' : text, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT') && /^[0-9a-zA-Z]+$/.test(text)) return text;
    throw new EngineError('invalidArgument', `cannot read the plan ${text}`, { cause: error });
  }
  try {
    return JSON.parse(content) as PrunePlan;
  } catch (error) {
    throw new EngineError('invalidArgument', `${text} holds no plan: it is not JSON`, { cause: error });
  }
}

function summary({ Items, TotalBytes }: PrunePlan): string {
  return `${Items.length} ${Items.length === 1 ? 'object' : 'objects'}, ${humanSize(TotalBytes)}`;
}

function planListing({ Items }: PrunePlan): Listing {
  return {
    headings: { Kind: 'KIND', ID: 'ID', Name: 'NAME', Size: 'SIZE', Reason: 'WHY' },
    table: '{{.Kind}}\t{{.ID}}\t{{.Name}}\t{{.Size}}\t{{.Reason}}',
    rows: Items.map((item) => ({
      Kind: item.Kind,
      ID: item.Kind === 'volume' ? ellipsis(item.ID, 20) : shortId(item.ID),
      Name: ellipsis(item.Names.join(', ').replaceAll(/\s+/g, ' '), 40),
      Size: humanSize(item.Bytes),
      Reason: item.Reason,
    })),
  };
}

function outcomeText({ Removed, Left, SpaceReclaimed }: PruneOutcome): string {
  const title = ({ Kind, ID, Names }: PruneItem) =>
    `${Kind} ${Kind !== 'build-cache' && Names[0] !== undefined ? Names.join(', ') : shortId(ID)}`;
  return [
    ...Removed.map((item) => `removed ${title(item)}\n`),
    ...Left.map(({ Item, Why }) => `left ${title(Item)}: ${Why}\n`),
    `Total reclaimed space: ${humanSize(SpaceReclaimed)}\n`,
  ].join('');
}
