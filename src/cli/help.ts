import type { Command } from './command.ts';
import type { Flag, FlagTable } from './flags.ts';

/** `Usage:  gantry run [OPTIONS] IMAGE …` in one or more lines. */
export function usageLines(path: string, command: Command): string {
  const forms = command.usage.split('\n').map((form) => `gantry ${path} ${form}`.trimEnd());
  return `Usage:  ${forms.join('\n\t')}`;
}

/** The text of `gantry COMMAND --help`, wrapped to the terminal. */
export function commandHelp(path: string, command: Command, width: number): string {
  const parts = [usageLines(path, command), '', command.summary];
  if (command.details !== undefined) parts.push('', command.details);
  if (command.aliases !== undefined && command.aliases.length > 0) {
    parts.push('', 'Aliases:', `  ${command.aliases.map((alias) => `gantry ${alias}`).join(', ')}`);
  }
  const options = flagLines(command.flags, width);
  if (options.length > 0) parts.push('', 'Options:', ...options);
  return `${parts.join('\n')}\n`;
}

/** One or more lines for each flag. */
export function flagLines(flags: FlagTable, width: number): string[] {
  const shown = Object.entries(flags)
    .filter(([, flag]) => flag.hidden !== true)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => ({ head: flagHead(name, flag), text: flagText(flag) }));
  const indent = Math.max(0, ...shown.map(({ head }) => head.length)) + 3;
  return shown.flatMap(({ head, text }) => {
    const lines = text.split('\n').flatMap((line) => wrap(line, Math.max(24, width - indent)));
    return lines.map((line, at) => (at === 0 ? head.padEnd(indent) : ' '.repeat(indent)) + line);
  });
}

function flagHead(name: string, flag: Flag<never> | Flag): string {
  const short = flag.short === undefined ? '      ' : `  -${flag.short}, `;
  return `${short}--${name}${flag.kind === '' ? '' : ` ${flag.kind}`}`;
}

function flagText(flag: Flag<never> | Flag): string {
  return flag.shownDefault === undefined ? flag.usage : `${flag.usage} (default ${flag.shownDefault})`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<=\S) (?=\S)/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
