import { isDeafProcess } from './deaf.ts';
import type { Ending } from './run.ts';

/** What is asked now, with a signal, of a run whose first process has this pid. */
export async function endingBy(action: Ending['action'], signal: number, pid: number): Promise<Ending> {
  const deaf = await isDeafProcess(pid, signal);
  return { action, signal, at: new Date().toISOString(), deaf, forced: false };
}
