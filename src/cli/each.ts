import { isAbortError, isCode } from '../errors/index.ts';
import type { Context } from './command.ts';
import { errorText } from './tell-error.ts';

/**
 * Does one thing to each named object and prints each name that worked. A failure does not stop the others; the exit
 * code is 1 if there was one.
 */
export async function forEach(
  context: Context,
  names: readonly string[],
  work: (name: string) => Promise<unknown>,
): Promise<number> {
  const results = await Promise.allSettled(names.map(work));
  let code = 0;
  for (const [at, result] of results.entries()) {
    if (result.status === 'fulfilled') {
      context.stdout.write(`${typeof result.value === 'string' ? result.value : (names[at] ?? '')}\n`);
      continue;
    }
    if (isAbortError(result.reason)) throw result.reason;
    context.stderr.write(`${errorText(result.reason)}\n`);
    code = 1;
  }
  return code;
}

/** Like `forEach`; with `force` an object that is not there is told of, but is no failure. */
export async function forEachRemoved(
  context: Context,
  names: readonly string[],
  options: { readonly force: boolean; readonly remove: (name: string) => Promise<unknown> },
): Promise<number> {
  const failures: unknown[] = [];
  const present: string[] = [];
  const results = await Promise.allSettled(names.map(options.remove));
  let code = 0;
  for (const [at, result] of results.entries()) {
    if (result.status === 'fulfilled') present.push(names[at] ?? '');
    else {
      failures.push(result.reason);
      if (!(options.force && isCode(result.reason, 'notFound'))) code = 1;
    }
  }
  for (const name of present) context.stdout.write(`${name}\n`);
  for (const error of failures) context.stderr.write(`${errorText(error)}\n`);
  return code;
}
