import { commands, groups, lookUp, secondNames } from './commands.ts';
import type { FlagTable } from './flags.ts';
import { commandHelp, flagLines } from './help.ts';

const common = ['run', 'exec', 'ps', 'build', 'pull', 'images', 'version', 'info'];

/** Prints the overview of all commands. */
export async function showGeneralHelp(flags: FlagTable): Promise<number> {
  const width = process.stdout.columns || 80;
  const others = Object.keys(commands).filter((name) => !name.includes(' ') && !common.includes(name));
  const section = async (title: string, names: readonly string[]) => [
    '',
    `${title}:`,
    ...(await summaries(names)),
  ];
  const lines = [
    'Usage:  gantry [OPTIONS] COMMAND',
    '',
    'A container engine: build images, run containers, look after them',
    ...(await section('Common Commands', common)),
    '',
    'Management Commands:',
    ...Object.entries(groups).map(([name, summary]) => `  ${name.padEnd(11)} ${summary}`),
    ...(await section('Commands', others.sort())),
    '',
    'Global Options:',
    ...flagLines(flags, width),
    '',
    "Run 'gantry COMMAND --help' for more information on a command.",
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

async function summaries(names: readonly string[]): Promise<string[]> {
  return Promise.all(
    names.map(async (name) => {
      const last = name.split(' ').at(-1) ?? name;
      return `  ${last.padEnd(11)} ${(await commands[name]?.())?.summary ?? ''}`;
    }),
  );
}

/** `gantry help WORDS` and `gantry GROUP`. */
export async function showHelpOf(words: readonly string[], flags: FlagTable): Promise<number> {
  const [first] = words;
  if (first === undefined) return showGeneralHelp(flags);
  const path = words.join(' ');
  const load = lookUp(commands, path);
  if (load !== undefined) {
    process.stdout.write(commandHelp(path, await load(), process.stdout.columns || 80));
    return 0;
  }
  const summary = lookUp(groups, first);
  if (words.length > 1 || summary === undefined) return showUnknown(words, summary !== undefined);
  const members = Object.keys(commands)
    .filter((name) => name.startsWith(`${first} `) && !secondNames.has(name))
    .sort();
  const lines = [
    `Usage:  gantry ${first} COMMAND`,
    '',
    summary,
    '',
    'Commands:',
    ...(await summaries(members)),
    '',
    `Run 'gantry ${first} COMMAND --help' for more information on a command.`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

/** A word that is no command, with the nearest one that is. */
export function showUnknown(words: readonly string[], inGroup: boolean): number {
  const said = words.slice(0, inGroup ? 2 : 1).join(' ');
  const help = inGroup ? `gantry ${words[0] ?? ''} --help` : 'gantry --help';
  const near = nearest(said, inGroup);
  const hint = near === undefined ? '' : `\n\nDid you mean this?\n\tgantry ${near}`;
  process.stderr.write(`gantry: '${said}' is not a gantry command.\nSee '${help}'${hint}\n`);
  return 1;
}

function nearest(said: string, inGroup: boolean): string | undefined {
  const names = [...Object.keys(commands), ...(inGroup ? [] : Object.keys(groups))];
  const ranked = names
    .filter((name) => name.includes(' ') === inGroup)
    .map((name) => ({ name, distance: editDistance(said, name) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.min(2, said.length - 2) ? best.name : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_none, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
