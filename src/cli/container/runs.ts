import type { ContainerRun } from '../../api/index.ts';
import type { StdioChunk } from '../../client/index.ts';
import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { tableFormat } from '../flag-kinds.ts';
import { renderListing } from '../output/listing.ts';
import { humanDuration, timeAgo } from '../output/units.ts';
import { printOutput } from '../terminal/stdio.ts';

/** Lines of the log that `explain` shows. */
const explainedLines = 10;
/** The time of an end is that of a file, some milliseconds behind those of log lines; no run begins that soon after. */
const tickMs = 10;

export const runsCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: 'List the runs of a container, and why each ended',
  minArgs: 1,
  maxArgs: 1,
  flags: { format: tableFormat() },
  async run({ context, values, args }) {
    const [name = ''] = args;
    const { containers } = await context.client();
    const runs = await containers.runs(name);
    const listing = {
      headings: {
        Number: 'RUN',
        Started: 'STARTED',
        Duration: 'DURATION',
        ExitCode: 'EXIT CODE',
        Explanation: 'EXPLANATION',
      },
      table: '{{.Number}}\t{{.Started}}\t{{.Duration}}\t{{.ExitCode}}\t{{.Explanation}}',
      rows: runs.map((run) => ({ ...run, ...shownTimes(run), ExitCode: String(run.ExitCode ?? '') })),
    };
    context.stdout.write(renderListing(listing, values.format));
  },
});

export const explainCommand = defineCommand({
  usage: 'CONTAINER',
  summary: 'Say how a container is, or why its last run ended, with the last lines of its log',
  minArgs: 1,
  maxArgs: 1,
  flags: {},
  async run({ context, args }) {
    const [name = ''] = args;
    const { containers } = await context.client();
    const [{ Id, Name, Config, HostConfig, RestartCount }, runs] = await Promise.all([
      containers.inspect(name),
      containers.runs(name),
    ]);
    const last = runs.at(-1);
    const title = Name.replace(/^\//, '');
    if (last === undefined) {
      context.stdout.write(`${title} has never been started.\n`);
      return;
    }
    const { Started, Duration } = shownTimes(last);
    const began = Started === '' ? '' : `, begun ${Started}`;
    const lasted = Duration === '' ? '' : `, lasted ${Duration}`;
    const restarts = RestartCount === 0 ? '' : ` Its policy has started it again ${RestartCount} times.`;
    context.stdout.write(`${title}, run ${last.Number}${began}${lasted}:\n${last.Explanation}${restarts}\n`);
    if (HostConfig.LogConfig.Type === 'none') return;
    context.stdout.write('\nThe end of its log:\n');
    const query = { tty: Config.Tty, follow: false, tail: String(explainedLines), ...spanOf(runs, last) };
    await printOutput(orRecorded(await containers.logs(Id, query), last), context);
  },
});

function shownTimes({ StartedAt, FinishedAt, Error: error }: ContainerRun): {
  Started: string;
  Duration: string;
} {
  const start = Date.parse(StartedAt);
  if (error !== '') return { Started: '', Duration: '' };
  const end = FinishedAt === null ? Date.now() : Date.parse(FinishedAt);
  return { Started: timeAgo(start), Duration: humanDuration(end - start) };
}

/**
 * What `logs --run` means: a run's number, or 0 for the latest and -1, -2 … for those before it.
 * Throws `notFound` for a run that is not there.
 */
export function findRun(runs: readonly ContainerRun[], wanted: number): ContainerRun {
  const run = wanted > 0 ? runs.find(({ Number: number }) => number === wanted) : runs.at(wanted - 1);
  if (run !== undefined) return run;
  throw new EngineError('notFound', `There is no run ${wanted}: the container has ${runs.length} on record`);
}

/** The part of the log that one run wrote: from the end of the run before to its own. */
export function spanOf(
  runs: readonly ContainerRun[],
  run: ContainerRun,
): { readonly since?: string; readonly until?: string } {
  const before = runs.findLast(({ Number: number }) => number < run.Number)?.FinishedAt ?? null;
  const seconds = (time: string) => ((Date.parse(time) + tickMs) / 1000).toFixed(3);
  return {
    ...(before === null ? {} : { since: seconds(before) }),
    ...(run.FinishedAt === null ? {} : { until: seconds(run.FinishedAt) }),
  };
}

/** What a run logged, or, where the log has lost it, the last lines that its record keeps. */
export async function* orRecorded(
  logged: AsyncIterable<StdioChunk>,
  { Log: kept }: ContainerRun,
  { tail = 'all', timestamps = false }: { readonly tail?: string; readonly timestamps?: boolean } = {},
): AsyncGenerator<StdioChunk> {
  let isThere = false;
  for await (const chunk of logged) {
    isThere = true;
    yield chunk;
  }
  if (isThere) return;
  const lines = tail === 'all' ? kept : kept.slice(Math.max(0, kept.length - Number(tail)));
  for (const { Time, Stream, Text } of lines) {
    yield { stream: Stream, data: Buffer.from(timestamps ? `${Time} ${Text}` : Text) };
  }
}
