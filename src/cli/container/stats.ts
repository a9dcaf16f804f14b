import type { Client } from '../../client/index.ts';
import { isAbortError, isCode } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { tableFormat } from '../flag-kinds.ts';
import { bool } from '../flags.ts';
import { type Listing, type Row, renderListing } from '../output/listing.ts';
import { binarySize, humanSize, shortId } from '../output/units.ts';
import { listFormat } from '../remote/docker-config.ts';
import { type StatsSample, sampleOf } from './stats-sample.ts';

interface Watched {
  readonly id: string;
  readonly name: string;
  sample?: StatsSample;
}

export const statsCommand = defineCommand({
  usage: '[OPTIONS] [CONTAINER...]',
  summary: 'Display a live stream of container(s) resource usage statistics',
  aliases: ['container stats', 'stats'],
  minArgs: 0,
  flags: {
    all: bool('Show all containers (default shows just running)', { short: 'a' }),
    format: tableFormat(),
    'no-stream': bool('Disable streaming stats and only pull the first result'),
    'no-trunc': bool('Do not truncate output'),
  },
  async run({ context, values, args }) {
    const client = await context.client();
    const watched = await chosen(client, args, values.all);
    const format = listFormat(await context.settings(), 'statsFormat', values);
    const render = () => renderListing(statsListing(watched, !values['no-trunc']), format);
    if (values['no-stream']) {
      await Promise.all(watched.map((one) => follow(client, one, { stream: false })));
      context.stdout.write(render());
      return 0;
    }
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    const followers = watched.map((one) => follow(client, one, { stream: true, signal: stop.signal }));
    const home = context.stdout.isTTY ? '\u001b[2J\u001b[H' : '';
    const timer = setInterval(() => context.stdout.write(home + render()), 1000);
    try {
      await Promise.all(followers);
    } finally {
      clearInterval(timer);
    }
    return 0;
  },
});

async function chosen(client: Client, names: readonly string[], all: boolean): Promise<Watched[]> {
  if (names.length === 0) {
    const found = await client.containers.list({ all });
    return found.map(({ Id, Names }) => ({ id: Id, name: (Names[0] ?? '').replace(/^\//, '') }));
  }
  return Promise.all(
    names.map(async (name) => {
      const { Id, Name } = await client.containers.inspect(name);
      return { id: Id, name: Name.replace(/^\//, '') };
    }),
  );
}

async function follow(
  client: Client,
  watched: Watched,
  options: { readonly stream: boolean; readonly signal?: AbortSignal },
): Promise<void> {
  try {
    for await (const raw of client.containers.stats(watched.id, options)) watched.sample = sampleOf(raw);
  } catch (error) {
    // Removed while we watch, or the user's Ctrl-C.
    if (!isCode(error, 'notFound') && !isAbortError(error)) throw error;
  }
}

function statsListing(watched: readonly Watched[], trunc: boolean): Listing {
  return {
    headings: {
      Container: 'CONTAINER',
      ID: 'CONTAINER ID',
      Name: 'NAME',
      CPUPerc: 'CPU %',
      MemUsage: 'MEM USAGE / LIMIT',
      MemPerc: 'MEM %',
      NetIO: 'NET I/O',
      BlockIO: 'BLOCK I/O',
      PIDs: 'PIDS',
    },
    table:
      '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}',
    rows: watched.map((one) => statsRow(one, trunc)),
  };
}

function statsRow({ id, name, sample }: Watched, trunc: boolean): Row {
  const shown = trunc ? shortId(id) : id;
  const pair = (a: number | undefined, b: number | undefined, size: (bytes: number) => string) =>
    a === undefined || b === undefined ? '-- / --' : `${size(a)} / ${size(b)}`;
  const percent = (value: number | undefined) => (value === undefined ? '--' : `${value.toFixed(2)}%`);
  const short = (bytes: number) => humanSize(bytes, 3);
  return {
    Container: shown,
    ID: shown,
    Name: name,
    CPUPerc: percent(sample?.cpuPercent),
    MemUsage: pair(sample?.memory, sample?.memoryLimit, binarySize),
    MemPerc: percent(sample?.memoryPercent),
    NetIO: pair(sample?.networkIn, sample?.networkOut, short),
    BlockIO: pair(sample?.blockIn, sample?.blockOut, short),
    PIDs: sample === undefined ? '--' : String(sample.pids),
  };
}
