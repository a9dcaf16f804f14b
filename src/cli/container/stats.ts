import type { Client } from '../../client/index.ts';
import { isAbortError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { tableFormat } from '../flag-kinds.ts';
import { bool } from '../flags.ts';
import { type Listing, type Row, renderListing } from '../output/listing.ts';
import { binarySize, humanSize, shortId } from '../output/units.ts';
import { listFormat } from '../remote/docker-config.ts';
import { follow, StatsWatch, type Watched } from './stats-watch.ts';

const clearScreen = '\u001b[2J\u001b[H';

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
    const format = listFormat(await context.settings(), 'statsFormat', values);
    const render = (watched: readonly Watched[]) =>
      renderListing(statsListing(watched, !values['no-trunc']), format);
    if (values['no-stream']) {
      const watched = await chosen(client, args, values.all);
      await Promise.all(watched.map((one) => follow(client, one, { stream: false })));
      context.stdout.write(render(watched));
      return 0;
    }
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    const { signal } = stop;
    const show = (watched: readonly Watched[]) =>
      void context.stdout.write(`${context.stdout.isTTY ? clearScreen : ''}${render(watched)}`);
    if (args.length === 0) {
      const watch = new StatsWatch(client, signal);
      await every(
        () => show(watch.list),
        () => watch.run(values),
      );
      return 0;
    }
    const watched = await chosen(client, args, values.all);
    await every(
      () => show(watched),
      () => Promise.all(watched.map((one) => follow(client, one, { stream: true, signal }))),
    );
    return 0;
  },
});

/** Shows once a second while the work goes on; an interrupt is its end. */
async function every(show: () => void, work: () => Promise<unknown>): Promise<void> {
  const timer = setInterval(show, 1000);
  try {
    await work();
  } catch (error) {
    if (!isAbortError(error)) throw error;
  } finally {
    clearInterval(timer);
  }
}

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
