import type { Description, Setting } from './setting.ts';
import { shellWords } from './shell-words.ts';

/** The command that makes the container again, as a POSIX shell takes it, after remarks on what it cannot say. */
export function asRun({ settings, image, args, unsaid }: Description): string {
  const remarks = unsaid.map((what) => `# run has no word for ${what}\n`).join('');
  return `${remarks}${shellWords(['gantry', 'run', ...settings.flatMap(words), image, ...args])}\n`;
}

function words({ flag, value }: Setting): string[] {
  if (value === true) return [`--${flag}`];
  // A value that begins with a dash, or a boolean's, must stand in the same word.
  return value.startsWith('-') || flag === 'init' ? [`--${flag}=${value}`] : [`--${flag}`, value];
}
