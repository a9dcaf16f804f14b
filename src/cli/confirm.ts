import { createInterface } from 'node:readline';
import type { Context } from './command.ts';

/** Asks before something is removed for good; only `y` or `yes` goes on. No terminal and no answer is no. */
export async function confirm(context: Context, warning: string): Promise<boolean> {
  context.stdout.write(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
  const lines = createInterface({ input: context.stdin });
  try {
    for await (const line of lines) return ['y', 'yes'].includes(line.trim().toLowerCase());
    return false;
  } finally {
    lines.close();
    context.stdin.destroy();
  }
}
