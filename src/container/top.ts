import { EngineError, messageOf } from '../errors/index.ts';
import { run } from '../lib/run.ts';
import type { TopResult } from './containers.ts';

const defaultArgs = '-ef';

/**
 * The processes of a container as the host's `ps` shows them. `pids` are the host's numbers.
 * `invalidArgument` with Docker's text when the arguments give no PID column.
 */
export async function containerTop(pids: readonly number[], psArgs: string): Promise<TopResult> {
  const args = splitArgs(psArgs);
  const text = await psOutput(args);
  return parsePs(text, pids);
}

async function psOutput(args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run('ps', args);
    return stdout;
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'internal') throw error;
    throw new EngineError('invalidArgument', `ps: ${messageOf(error)}`, { cause: error });
  }
}

/** `ps` words; none are Docker's default. A field list must not rename PID, as Docker checks too. */
export function splitArgs(psArgs: string): string[] {
  const args = (psArgs.trim() === '' ? defaultArgs : psArgs).trim().split(/\s+/);
  if (/(^|[\s,])pid=/.test(psArgs)) {
    throw new EngineError(
      'invalidArgument',
      'specifying "pid=" renames the column that lists are matched by',
    );
  }
  return args;
}

/** Keeps the rows of a `ps` table whose PID is one of `pids`; the last column takes the rest of its line. */
export function parsePs(text: string, pids: readonly number[]): TopResult {
  const [head = '', ...rows] = text.split('\n');
  const Titles = head.split(/\s+/).filter((title) => title !== '');
  const pidColumn = Titles.indexOf('PID');
  if (pidColumn === -1) throw new EngineError('invalidArgument', "couldn't find PID field in ps output");
  const wanted = new Set(pids);
  const Processes: string[][] = [];
  let kept = false;
  for (const row of rows) {
    const fields = row.split(/\s+/).filter((field) => field !== '');
    if (fields.length === 0) continue;
    // A dash instead of a PID is a thread of the process above.
    const pid = fields[pidColumn];
    kept = pid === '-' ? kept : wanted.has(Number(pid));
    if (kept) Processes.push(joinLast(fields, Titles.length));
  }
  return { Titles, Processes };
}

function joinLast(fields: readonly string[], columns: number): string[] {
  return [...fields.slice(0, columns - 1), fields.slice(columns - 1).join(' ')];
}
