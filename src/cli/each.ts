import { isAbortError, isCode } from '../errors/index.ts';
import type { Context } from './command.ts';
import { errorText } from './tell-error.ts';

type Work = (name: string) => Promise<unknown>;

/**
 * Does one thing to each named object, one after the other, and prints each name that worked (or what came of it,
 * nothing for null). A failure does not stop the others; the exit code is 1 if there was one.
 */
export async function forEach(context: Context, names: readonly string[], work: Work): Promise<number> {
  let code = 0;
  for (const name of names) {
    const [result] = await Promise.allSettled([work(name)]);
    code = Math.max(code, tell(context, name, result));
  }
  return code;
}

/** Like `forEach`, to all together: for what only takes its time. */
export async function forEachAtOnce(context: Context, names: readonly string[], work: Work): Promise<number> {
  const results = await Promise.allSettled(names.map(work));
  return Math.max(...results.map((result, at) => tell(context, names[at] ?? '', result)));
}

function tell(context: Context, name: string, result: PromiseSettledResult<unknown>): 0 | 1 {
  if (result.status === 'fulfilled') {
    if (result.value === null) return 0;
    context.stdout.write(`${typeof result.value === 'string' ? result.value : name}\n`);
    return 0;
  }
  if (isAbortError(result.reason)) throw result.reason;
  context.stderr.write(`${errorText(result.reason)}\n`);
  return 1;
}

/** Like `forEachAtOnce`; with `force` an object that is not there is told of, but is no failure. */
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
