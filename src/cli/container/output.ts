import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { bool, int, text } from '../flags.ts';
import { alignColumns } from '../output/table.ts';
import { parseTimestamp } from '../sizes.ts';
import { printOutput } from '../terminal/stdio.ts';
import { findRun, orRecorded, spanOf } from './runs.ts';

export const logsCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Fetch the logs of a container',
  aliases: ['container logs', 'logs'],
  minArgs: 1,
  maxArgs: 1,
  flags: {
    details: bool('Show extra details provided to logs'),
    follow: bool('Follow log output', { short: 'f' }),
    run: int('Show the logs of one run: its number, 0 for the latest, -1 for the one before', {
      shownDefault: '',
    }),
    since: text(
      'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
    tail: text('Number of lines to show from the end of the logs', { short: 'n', initial: 'all' }),
    timestamps: bool('Show timestamps', { short: 't' }),
    until: text(
      'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
  },
  async run({ context, values, given, args }) {
    const [name = ''] = args;
    const { containers } = await context.client();
    const { Id, Config } = await containers.inspect(name);
    const query = {
      tty: Config.Tty,
      follow: values.follow,
      timestamps: values.timestamps,
      details: values.details,
      tail: values.tail,
      ...(values.since === '' ? {} : { since: parseTimestamp(values.since) }),
      ...(values.until === '' ? {} : { until: parseTimestamp(values.until) }),
    };
    if (!given.has('run')) {
      await printOutput(await containers.logs(Id, query), context);
      return;
    }
    const runs = await containers.runs(Id);
    const run = findRun(runs, values.run);
    const logged = await containers.logs(Id, { ...spanOf(runs, run), ...query });
    // The record has no lines of a part of a run.
    const whole = values.since === '' && values.until === '';
    await printOutput(whole ? orRecorded(logged, run, values) : logged, context);
  },
});

export const topCommand = defineCommand({
  usage: 'CONTAINER [ps OPTIONS]',
  summary: 'Display the running processes of a container',
  aliases: ['container top', 'top'],
  minArgs: 1,
  interspersed: false,
  flags: {},
  async run({ context, args }) {
    const [name = '', ...psArgs] = args;
    const { containers } = await context.client();
    const { Titles, Processes } = await containers.top(
      name,
      psArgs.length === 0 ? undefined : psArgs.join(' '),
    );
    const lines = [Titles, ...(Processes ?? [])].map((row) => row.join('\t'));
    context.stdout.write(alignColumns(lines, { minWidth: 20 }));
  },
});

export const diffCommand = defineCommand({
  usage: 'CONTAINER',
  summary: "Inspect changes to files or directories on a container's filesystem",
  aliases: ['container diff', 'diff'],
  minArgs: 1,
  maxArgs: 1,
  flags: {},
  async run({ context, args }) {
    const { containers } = await context.client();
    const changes = (await containers.changes(args[0] ?? '')) ?? [];
    context.stdout.write(changes.map(({ Kind, Path }) => `${'CAD'.charAt(Kind)} ${Path}\n`).join(''));
  },
});

export const portCommand = defineCommand({
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  summary: 'List port mappings or a specific mapping for the container',
  aliases: ['container port', 'port'],
  minArgs: 1,
  maxArgs: 2,
  flags: {},
  async run({ context, args }) {
    const [name = '', wanted] = args;
    const { containers } = await context.client();
    const { NetworkSettings } = await containers.inspect(name);
    const address = (ip: string, port: string) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
    const ports = Object.entries(NetworkSettings.Ports ?? {});
    if (wanted === undefined) {
      const lines = ports.flatMap(([key, bindings]) =>
        (bindings ?? []).map(({ HostIp, HostPort }) => `${key} -> ${address(HostIp, HostPort)}\n`),
      );
      context.stdout.write(lines.sort().join(''));
      return;
    }
    const key = wanted.includes('/') ? wanted : `${wanted}/tcp`;
    const bindings = ports.find(([one]) => one === key)?.[1];
    if (bindings === undefined || bindings === null) {
      throw new EngineError('notFound', `Error: No public port '${wanted}' published for ${name}`);
    }
    context.stdout.write(bindings.map(({ HostIp, HostPort }) => `${address(HostIp, HostPort)}\n`).join(''));
  },
});
