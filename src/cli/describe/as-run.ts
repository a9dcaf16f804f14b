import type { Description, Setting } from './setting.ts';
import { shellWords } from './shell-words.ts';

/** The command that makes the container again, as a POSIX shell takes it. */
export function asRun({ settings, image, args }: Description): string {
  return `${shellWords(['gantry', 'run', ...settings.flatMap(words), image, ...args])}\n`;
}

function words({ flag, value }: Setting): string[] {
  if (value === true) return [`--${flag}`];
  // A value that begins with a dash, or a boolean's, must stand in the same word.
  return value.startsWith('-') || flag === 'init' ? [`--${flag}=${value}`] : [`--${flag}`, value];
}
